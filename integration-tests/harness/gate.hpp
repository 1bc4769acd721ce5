// Stops the origin in the middle of an answer until the test lets it continue: ordering without timing.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "harness/deadline.hpp"

namespace baton::harness {

class Gate {
 public:
  // The origin's side: waits until the gate is open.
  void pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    if (!open_) ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }

  // The test's side.
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    waiting_ = 0;
    changed_.notify_all();
  }
  void shut() {
    std::lock_guard lock(mutex_);
    open_ = false;
  }
  int waiting() {
    std::lock_guard lock(mutex_);
    return waiting_;
  }
  // How many answers have reached the gate since the origin was created.
  void await_arrivals(int count) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, wait_max, [&] { return arrived_ >= count; }))
      throw Failure("only " + std::to_string(arrived_) + " of " + std::to_string(count) + " came to the origin's gate");
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrived_ = 0;
  int waiting_ = 0;
};

}  // namespace baton::harness
