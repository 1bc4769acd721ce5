#include "proxy/canary/tally.hpp"

#include <algorithm>

namespace baton::canary {

namespace {

// The greatest value, so that one comparison finds both that nothing is to be done: the client has failed, or it was
// exposed in this tick or, by the clock of a thread that is ahead, in a later one.
constexpr std::uint32_t has_failed = 0xffff'ffff;

std::uint32_t tick_of(std::int64_t now_ms) {
  return static_cast<std::uint32_t>(1 + static_cast<std::uint64_t>(now_ms / tick_ms) % (has_failed - 1));
}

}  // namespace

void Tally::note(std::uint64_t client_hash, bool failed, std::int64_t now_ms) {
  const std::uint32_t slot = slot_of(client_hash);
  counters_of(slot).exchanges.fetch_add(1, std::memory_order_relaxed);
  failed ? fail(slot, tick_of(now_ms)) : expose(slot, tick_of(now_ms));
}

void Tally::note_open(std::uint64_t client_hash, std::int64_t now_ms) {
  expose(slot_of(client_hash), tick_of(now_ms));
}

void Tally::expose(std::uint32_t slot, std::uint32_t tick) {
  std::uint32_t last = slots_[slot].load(std::memory_order_relaxed);
  while (last < tick) {
    if (slots_[slot].compare_exchange_weak(last, tick, std::memory_order_relaxed)) {
      counters_of(slot).exposures.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
}

void Tally::fail(std::uint32_t slot, std::uint32_t tick) {
  const std::uint32_t last = slots_[slot].exchange(has_failed, std::memory_order_relaxed);
  if (last == has_failed) return;
  if (last < tick) counters_of(slot).exposures.fetch_add(1, std::memory_order_relaxed);
  counters_of(slot).clients_failed.fetch_add(1, std::memory_order_relaxed);
}

// A client may have failed in a tick whose exposure another thread is about to count. No order of the increments
// prevents that; but that exposure will come, so the failure stands for it. The greater of two counts that never fall
// does not fall either.
state::CanarySide Tally::counts() const {
  state::CanarySide sum;
  for (const Counters& counters : counters_) {
    const std::uint64_t clients_failed = counters.clients_failed.load(std::memory_order_relaxed);
    sum.clients_failed += clients_failed;
    sum.exposures += std::max(clients_failed, counters.exposures.load(std::memory_order_relaxed));
    sum.exchanges += counters.exchanges.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace baton::canary
