// Every wait of a test ends: by what it waits for, or by its deadline with a message that says what was missing.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>

namespace baton::harness {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// Generous: it is only ever used up by a test that fails.
inline constexpr Milliseconds wait_max{20'000};

// Ends a test: GoogleTest shows the text of an exception that leaves a test's body.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Deadline {
 public:
  explicit Deadline(Milliseconds from_now = wait_max) : at_(Clock::now() + from_now) {}

  bool passed() const { return Clock::now() >= at_; }
  // What is left, as poll(2) wants it.
  int poll_ms() const {
    auto left = std::chrono::ceil<Milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::max<long long>(left, 0));
  }

 private:
  Clock::time_point at_;
};

// Looks again and again, for what the kernel announces to nobody (a file's content, another process's state).
void await(const std::function<bool()>& condition, const std::string& what, Milliseconds limit = wait_max);

// Waits until `value` has given the same answer for 300 ms: something has come to a standstill.
std::size_t await_standstill(const std::function<std::size_t()>& value, const std::string& what);

}  // namespace baton::harness
