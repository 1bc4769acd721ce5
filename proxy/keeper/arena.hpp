// Memory that a worker process and its keeper share: everything that the states of connections own, and a roster of
// them. It has no name and no descriptor, it is at the same address in both, and it is gone at exec.
//
// The worker writes. The keeper only reads, and only once the worker is dead: then each state is as it was between two
// steps of its connection, except for those that the roster names as running.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "handoff/page_runs.hpp"
#include "handoff/instance.hpp"
#include "proxy/keeper/roster.hpp"
#include "proxy/state/memory.hpp"

namespace baton::keeper {

class Testament;

// Which connections go on after a crash.
enum class Survive { all, idle_ones, none };

// Whom a worker converses with. Its parent does not know a foreigner, which is no child of the worker's.
enum class Partner { predecessor, child, foreigner };

// What the keeper must know besides the connections.
struct Control {
  std::atomic<bool> is_over{false};        // the worker ends of its own accord, or is the instance no longer
  std::atomic<const Testament*> testament{nullptr};  // null: it has not been the instance
  // The channels of a conversation; -1: there is none. Connections can move only while there is a spare.
  std::atomic<int> channel{-1};
  std::atomic<int> spare{-1};
  std::atomic<Partner> partner{Partner::predecessor};
  std::atomic<bool> has_resigned{false};   // the lock may be the successor's
  std::atomic<bool> is_prepared{false};    // it may have connections, as the instance or before
  std::atomic<int> lock_descriptor{-1};
  std::atomic<std::uint64_t> lock_device{0};  // its file, since the descriptor's number may be used again
  std::atomic<std::uint64_t> lock_inode{0};
  std::atomic<Survive> survive{Survive::all};
  std::atomic<int> signal{0};              // the fatal one, if the worker could tell

  // As the predecessor.
  bool is_upgrading() const { return spare >= 0 && partner != Partner::predecessor; }
  handoff::FileIdentity lock_file() const { return {lock_device, lock_inode}; }
  void set_lock(int descriptor);
};

// It is never destroyed: what it has given may be freed until the process ends.
class Arena {
 public:
  // For at most so many descriptors. Becomes the source of all states' memory, so nothing may have been allocated yet.
  // Throws std::system_error.
  explicit Arena(std::size_t descriptors);
  ~Arena() = delete;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  Control& control() const { return *control_; }
  Roster& roster() const { return *roster_; }
  // In the keeper: states are only read there, and what it allocates is its own.
  void only_read();
  // In the worker, after the keeper has begun: no other child gets a copy of it.
  void keep_from_children() const;

  // Bytes that states have taken of the system.
  std::size_t taken() const { return slabs_->taken() + large_->taken(); }

 private:
  static void* take(std::size_t bytes, std::size_t alignment);
  static void give(void* memory, std::size_t bytes) noexcept;

  char* begin_ = nullptr;
  std::size_t bytes_ = 0;
  Control* control_ = nullptr;
  Roster* roster_ = nullptr;
  char* large_begin_ = nullptr;
  std::unique_ptr<handoff::PageRuns> slabs_;
  std::unique_ptr<handoff::PageRuns> large_;
};

}  // namespace baton::keeper
