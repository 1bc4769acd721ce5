// The progress of a long run, for the threads that take part in it: whether it continues, how many upgrades have
// passed, how much was proven so far.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "harness/deadline.hpp"

namespace baton::harness {

class Course {
 public:
  // All pauses are `slowness` times as long: where many take part, each does less.
  explicit Course(int slowness = 1) : slowness_(slowness) {}

  // Only a failing test waits this long.
  Milliseconds patience() const { return 3 * wait_max * slowness_; }

  // The test's side.
  void upgrade_passed() {
    std::lock_guard lock(mutex_);
    ++upgrades_;
    changed_.notify_all();
  }
  void end() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  // The threads' side. Each of these says whether the run continues.
  bool goes_on() {
    std::lock_guard lock(mutex_);
    return !ended_;
  }
  // The interval of a stream, or a pause between two pieces; cut short by the end of the run.
  bool linger(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, time * slowness_, [this] { return ended_; });
  }
  // Waits until more than `seen` upgrades have passed and notes their number.
  bool await_upgrade(std::size_t& seen) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_ || upgrades_ > seen; });
    seen = upgrades_;
    return !ended_;
  }

  // Answers, messages and pieces that were compared with the expected bytes.
  std::atomic<std::uint64_t> proofs = 0;
  // Bytes that clients sent into tunnels whose other direction had ended, and the correct ones among those that
  // arrived.
  std::atomic<std::uint64_t> poured = 0;
  std::atomic<std::uint64_t> arrived = 0;

 private:
  const int slowness_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t upgrades_ = 0;
  bool ended_ = false;
};

}  // namespace baton::harness
