// The buckets of all rates, in memory that the workers of a process share, and during an upgrade both processes: a rate
// neither doubles nor begins anew when a process follows another.
//
// A bucket is one word: a part of its key's hash, and the time at which it will be empty. Its place is one of eight in
// the cache line that the hash selects, so each request looks at one line, whatever keys anybody chooses, and clients
// share lines only by chance. A bucket that is empty is the same as none. If none of the eight is, a new one takes the
// place of that which would be empty first. Without a key for the hash, nobody can aim at another's line.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "handoff/unique_fd.hpp"
#include "proxy/rates/bucket.hpp"
#include "proxy/rates/hashed_lines.hpp"

namespace baton::rates {

// The longest that a bucket may need to become empty: 10 days.
inline constexpr std::int64_t burst_us_max = 10LL * 24 * 3600 * 1'000'000;

class Table {
 public:
  // Without memory, and then every request passes.
  Table() = default;

  // Has memory from now on. Throws std::system_error.
  void make_room();
  // The memory of another process, which replaces its own; not while workers use it. `clock_us`: what must be added to
  // our clock for that memory. False: it is nothing of the kind, and nothing has changed.
  bool adopt(handoff::UniqueFd memory, std::int64_t clock_us);
  // For another process; -1: there is no memory. Stays ours.
  int to_pass_on() const;
  // As above, of this process.
  std::int64_t clock_us() const { return clock_us_.load(std::memory_order_relaxed); }

  // A request with that key, by CLOCK_MONOTONIC. Different rates have different ids, and keep them when their numbers
  // change. Any thread; never waits.
  Taking take(std::uint64_t rate_id, const Rate& rate, std::string_view key, std::int64_t now_us) const;

 private:
  mutable std::mutex mutex_;  // guards `owned_`
  std::unique_ptr<HashedLines> owned_;
  std::atomic<const HashedLines*> memory_ = nullptr;
  std::atomic<std::int64_t> clock_us_ = 0;
};

}  // namespace baton::rates
