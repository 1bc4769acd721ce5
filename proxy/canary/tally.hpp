// What one process counts while a canary is under way, for all its clients together; its threads share it.
//
// Time is cut into ticks of 100 ms. A client is exposed in each tick in which it is active, until its first failure;
// the failing exchange is an exposure, too. Failures after the first count for nothing, so no client can decide alone.
// Clients that share a slot (share.hpp) count as one, which does no harm: that happens on both sides alike.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "proxy/canary/share.hpp"
#include "proxy/state/upgrade_record.hpp"

namespace baton::canary {

inline constexpr std::int64_t tick_ms = 100;

// 256 KiB. Any thread; never waits.
class Tally {
 public:
  // An exchange of the client ended, at `now_ms` of CLOCK_MONOTONIC. The hash is that by which Share decides.
  void note(std::uint64_t client_hash, bool failed, std::int64_t now_ms);
  // The client has a tunnel open: it is exposed now, without an exchange.
  void note_open(std::uint64_t client_hash, std::int64_t now_ms);

  // Since the beginning. No number ever falls from one call to the next of a thread, and more clients never failed than
  // were exposed.
  state::CanarySide counts() const;

 private:
  // The last tick in which the client was exposed, counted from 1; 0: never; `has_failed`.
  using Slot = std::atomic<std::uint32_t>;

  // Clients are dealt to several, so that threads seldom write the same line.
  struct alignas(64) Counters {
    std::atomic<std::uint64_t> exchanges = 0;
    std::atomic<std::uint64_t> exposures = 0;
    std::atomic<std::uint64_t> clients_failed = 0;
  };

  Counters& counters_of(std::uint32_t slot) { return counters_[slot % counters_.size()]; }
  void expose(std::uint32_t slot, std::uint32_t tick);
  void fail(std::uint32_t slot, std::uint32_t tick);

  std::vector<Slot> slots_ = std::vector<Slot>(slot_count);
  std::array<Counters, 16> counters_;
};

}  // namespace baton::canary
