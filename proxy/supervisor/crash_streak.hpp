// Crashes in a row, as a value: how long to wait before the next replacement, and when to give up. What counts is how
// long the service ran, whichever worker served: an upgrade neither ends nor begins it.
#pragma once

#include <chrono>
#include <cstdint>

namespace baton::supervisor {

struct CrashStreak {
  unsigned crashes = 0;
  std::int64_t served_since_ms = 0;          // CLOCK_MONOTONIC

  // Called when the first worker, or a replacement, starts.
  void service_begins(std::int64_t now_ms) { served_since_ms = now_ms; }
  // A service that lived long enough ends the streak.
  void service_ends(std::int64_t now_ms);
  void add() { ++crashes; }

  bool is_too_long() const;
  // The wait before the next replacement: none at first, then twice as long each time.
  std::chrono::milliseconds pause() const;
};

}  // namespace baton::supervisor
