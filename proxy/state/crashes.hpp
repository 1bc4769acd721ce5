// What is known of crashes, over all generations: it goes from one process to the next.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::state {

// Whether connections go on after a crash that comes so soon after the one before is decided by how many there were.
inline constexpr std::int64_t crashes_in_a_row_within_us = 10'000'000;

struct Crash {
  std::int64_t pid = 0;
  std::int32_t signal = 0;      // 0: not known, as with SIGKILL
  std::int64_t at_unix_us = 0;
  std::uint64_t whole = 0;      // connections that went on
  std::uint64_t lost = 0;
  std::uint64_t stall_us = 0;   // until all of them went on
  std::vector<std::string> running;  // what its threads were doing, a sentence for each connection
  bool operator==(const Crash&) const = default;
};

struct Crashes {
  std::uint64_t total = 0;
  std::uint64_t in_a_row = 0;   // up to the last one
  std::uint64_t whole_total = 0;
  std::uint64_t lost_total = 0;
  Crash last;
  bool operator==(const Crashes&) const = default;

  // How many in a row there are with one at this time.
  std::uint64_t in_a_row_at(std::int64_t unix_us) const {
    return unix_us - last.at_unix_us < crashes_in_a_row_within_us ? in_a_row + 1 : 1;
  }
  void add(const Crash& crash) {
    in_a_row = in_a_row_at(crash.at_unix_us);
    ++total;
    whole_total += crash.whole;
    lost_total += crash.lost;
    last = crash;
  }
};

}  // namespace baton::state
