// Every wait of a test ends: either its condition holds, or its deadline passes and a message says what is missing.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace baton::harness {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// Generous: only a failing test waits this long.
inline constexpr Milliseconds wait_max{20'000};

// Ends a test: GoogleTest prints the text of an exception that leaves the test body.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Deadline {
 public:
  explicit Deadline(Milliseconds from_now = wait_max) : at_(Clock::now() + from_now) {}

  bool passed() const { return Clock::now() >= at_; }
  // The remaining time, in the form poll(2) takes.
  int poll_ms() const {
    auto left = std::chrono::ceil<Milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::max<long long>(left, 0));
  }

 private:
  Clock::time_point at_;
};

// Polls for what the kernel does not announce (a file's content, another process's state). False: the limit has passed.
bool comes_true(const std::function<bool()>& condition, Milliseconds limit);
// The same, but then it fails.
void await(const std::function<bool()>& condition, const std::string& what, Milliseconds limit = wait_max);

// Waits until `value` has not changed for 300 ms, which means that activity has stopped.
std::size_t await_standstill(const std::function<std::size_t()>& value, const std::string& what);

}  // namespace baton::harness
