// What is known of an upgrade once it has ended, well or badly: it goes from one process to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "handoff/report.hpp"

namespace baton::state {

inline constexpr std::size_t upgrades_kept = 10;

// How far an upgrade had come, and when: milliseconds since its beginning.
struct UpgradeStep {
  std::string step;
  std::uint64_t ms = 0;
  bool operator==(const UpgradeStep&) const = default;
};

// What one side has served while a canary was compared with the others.
struct CanarySide {
  std::uint64_t exchanges = 0;
  std::uint64_t exposures = 0;       // of clients: each is counted once in a tenth of a second, until it has a failure
  std::uint64_t clients_failed = 0;  // each counts once
  bool operator==(const CanarySide&) const = default;
};

// From a canary to its predecessor. Nothing: they cannot be read.
std::string encode(const CanarySide& side);
std::optional<CanarySide> decode_canary_side(const std::string& bytes);

struct CanaryRecord {
  std::uint16_t share = 0;  // of the clients, in hundredths of a percent
  std::string verdict;      // wait, doubt, go_on, back
  std::string decided_by;   // comparison, command, failure; empty: nothing is decided
  std::string text;         // the verdict in words, with the numbers it rests on
  double evidence = 1;      // that the canary is worse: how much likelier what was seen is then
  CanarySide canary, others;
  bool operator==(const CanaryRecord&) const = default;
};

struct UpgradeRecord {
  std::string result;  // completed, rolled_back, failed
  std::string reason;  // why it did not complete, or what did not move
  handoff::Report report;
  std::int64_t at_ms = 0;  // its beginning, milliseconds since 1970; 0: not known
  std::vector<UpgradeStep> steps = {};
  std::optional<CanaryRecord> canary = {};
  bool operator==(const UpgradeRecord&) const = default;
};

// The last ones, the newest first.
class UpgradeRecords {
 public:
  void add(UpgradeRecord record) {
    records_.insert(records_.begin(), std::move(record));
    if (records_.size() > upgrades_kept) records_.resize(upgrades_kept);
  }
  const std::vector<UpgradeRecord>& all() const { return records_; }
  bool operator==(const UpgradeRecords&) const = default;

 private:
  std::vector<UpgradeRecord> records_;
};

}  // namespace baton::state
