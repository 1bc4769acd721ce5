// What a test and the library that it preloads into Baton (scarce_memory.cpp) have in common: which allocation fails.
#pragma once

#include <sys/types.h>

#include <atomic>

namespace baton::harness {

enum class ScarceIn : int {
  nothing,
  main_thread,
  workers,
  conversation,  // and what other threads have no name
};

struct Scarcity {
  std::atomic<ScarceIn> in = ScarceIn::nothing;  // the last to be set
  std::atomic<pid_t> pid = 0;                    // of this process
  std::atomic<bool> is_of_others = false;        // of all but this process
  std::atomic<bool> begins_with_lock = false;    // only when that process has taken the lock of the instance
  std::atomic<long> failing = 0;                 // the number of the allocation that fails
  std::atomic<long> count = 0;
};

}  // namespace baton::harness
