// Which connections a worker process has, and which of them its threads are running: what a keeper must know when the
// process is dead. Each entry is one word, so it is never half written.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "proxy/state/state.hpp"

namespace baton::keeper {

// The connections that a thread is running, by their clients' descriptors. One may run another.
class alignas(64) Running {
 public:
  static constexpr std::uint32_t depth_max = 14;

  // Returns what `end` must be given.
  int begin(int client) {
    const int outer = innermost_.load(std::memory_order_relaxed);
    if (outer != nothing) [[unlikely]]
      push(outer);
    innermost_.store(client + 1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return outer;
  }
  void end(int outer) {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    innermost_.store(outer, std::memory_order_relaxed);
    if (outer != nothing) [[unlikely]]
      pop();
  }

  // Of a dead thread.
  bool is(int client) const {
    const std::uint32_t depth = depth_.load(std::memory_order_relaxed);
    if (depth > depth_max || innermost_.load(std::memory_order_relaxed) == client + 1) return true;
    for (std::uint32_t at = 0; at < depth; ++at) {
      if (outer_[at].load(std::memory_order_relaxed) == client + 1) return true;
    }
    return false;
  }

 private:
  static constexpr int nothing = 0;  // as in fresh memory, so descriptors are counted from 1

  void push(int client) {
    const std::uint32_t depth = depth_.load(std::memory_order_relaxed);
    if (depth < depth_max) outer_[depth].store(client, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    depth_.store(depth + 1, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void pop() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    depth_.store(depth_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }

  std::atomic<int> innermost_{nothing};
  std::atomic<std::uint32_t> depth_{0};  // beyond `depth_max` it is not known which ones
  std::array<std::atomic<int>, depth_max> outer_{};
};

// As long as it lives, the connection's state is not whole.
class Mark {
 public:
  Mark(Running& running, int client) : running_(running), outer_(running.begin(client)) {}
  ~Mark() { running_.end(outer_); }
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;

 private:
  Running& running_;
  const int outer_;
};

class Roster {
 public:
  static constexpr std::size_t threads_max = 256;
  // How much memory it needs, which must be zero.
  static constexpr std::size_t bytes_for(std::size_t descriptors) {
    return sizeof(Roster) + descriptors * sizeof(Entry);
  }
  explicit Roster(std::size_t descriptors) : descriptors_(descriptors) {}

  Running& running(std::size_t thread) { return threads_[thread]; }

  // The connection is whole from now on, except within its marks. `in_transit`: another process may own it, and knows.
  void enter(int client, const state::ConnectionState& state, bool in_transit = false) {
    entry(client, reinterpret_cast<std::uintptr_t>(&state) | (in_transit ? transit_bit : 0));
  }
  // It ends, or is another process's. Call it before its descriptor is closed.
  void leave(int client) { entry(client, 0); }

  // ── In the keeper ─────────────────────────────────────────────────────────────────────────────────────────────────
  bool is_running(int client) const {
    return std::ranges::any_of(threads_, [&](const Running& running) { return running.is(client); });
  }
  // Clients' descriptors are below this.
  std::size_t size() const { return descriptors_; }
  // Null: none.
  const state::ConnectionState* find(int client) const {
    return reinterpret_cast<const state::ConnectionState*>(entry(client) & ~transit_bit);
  }
  bool is_in_transit(int client) const { return (entry(client) & transit_bit) != 0; }

 private:
  // The address of the state, and a bit.
  using Entry = std::atomic<std::uintptr_t>;
  static constexpr std::uintptr_t transit_bit = 1;
  static_assert(alignof(state::ConnectionState) > transit_bit);

  Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
  const Entry* entries() const { return reinterpret_cast<const Entry*>(this + 1); }
  void entry(int client, std::uintptr_t entry) {
    if (static_cast<std::size_t>(client) < descriptors_) entries()[client].store(entry, std::memory_order_relaxed);
  }
  std::uintptr_t entry(int client) const {
    return static_cast<std::size_t>(client) < descriptors_ ? entries()[client].load(std::memory_order_relaxed) : 0;
  }

  const std::size_t descriptors_;
  std::array<Running, threads_max> threads_{};
};

}  // namespace baton::keeper
