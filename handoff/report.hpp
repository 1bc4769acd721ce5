// What an upgrade did, as counted by the predecessor, for the log line, `status` and the answer to `ctl upgrade`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace baton::handoff {

struct Pauses {
  std::uint64_t p50_us = 0;
  std::uint64_t p99_us = 0;
  std::uint64_t max_us = 0;
  // A histogram: [i] counts pauses of 2^(i-1) to 2^i - 1 µs, [0] those below 1 µs.
  std::vector<std::uint64_t> by_log2;
  std::uint64_t sum_us = 0;  // 0: a predecessor of an earlier version does not say it
  bool operator==(const Pauses&) const = default;
};

struct Side {
  std::uint64_t generation = 0;
  std::int64_t pid = 0;
  std::string version;
  bool operator==(const Side&) const = default;
};

struct Report {
  Side from;
  Side to;                                       // pid 0: the successor never identified itself
  std::map<std::string, std::uint64_t> moved;    // by the parcels' labels
  std::map<std::string, std::uint64_t> refused;  // by reason; these stayed
  std::uint64_t taken_back = 0;
  std::uint64_t returned = 0;                    // that a successor had, and gave back
  std::uint64_t left_behind = 0;                 // connections that stay with the predecessor, refused or not offered
  std::uint64_t left_behind_ms = 0;              // for at most this long
  Pauses pauses;                                 // from freeze to resume, as seen by the predecessor
  std::uint64_t duration_us = 0;

  std::uint64_t moved_total() const {
    std::uint64_t total = 0;
    for (const auto& [label, number] : moved) total += number;
    return total;
  }
  bool operator==(const Report&) const = default;
};

}  // namespace baton::handoff
