// Shared by a test and the library that it preloads into Baton (scarce_memory.cpp): which allocation fails.
#pragma once

#include <sys/types.h>

#include <atomic>

namespace baton::harness {

enum class ScarceIn : int {
  nothing,
  main_thread,
  workers,
  conversation,  // and other threads without a name
};

struct Scarcity {
  std::atomic<ScarceIn> in = ScarceIn::nothing;  // set last
  std::atomic<pid_t> pid = 0;                    // of this process
  std::atomic<bool> is_of_others = false;        // in all processes but this one
  std::atomic<bool> begins_with_lock = false;    // only after that process has taken the instance lock
  std::atomic<long> failing = 0;                 // the number of the failing allocation
  std::atomic<long> count = 0;
};

}  // namespace baton::harness
