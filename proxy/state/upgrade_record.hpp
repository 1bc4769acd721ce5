// What is known of an upgrade once it has ended, well or badly: it goes from one process to the next.
#pragma once

#include <cstddef>
#include <cstdint>
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

struct UpgradeRecord {
  std::string result;  // completed, rolled_back, failed
  std::string reason;  // why it did not complete, or what did not move
  handoff::Report report;
  std::int64_t at_ms = 0;  // its beginning, milliseconds since 1970; 0: not known
  std::vector<UpgradeStep> steps = {};
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
