#include "harness/deadline.hpp"

#include <poll.h>

namespace baton::harness {

namespace {

constexpr int look_again_ms = 5;

}  // namespace

bool comes_true(const std::function<bool()>& condition, Milliseconds limit) {
  const Deadline deadline(limit);
  while (!condition()) {
    if (deadline.passed()) return false;
    ::poll(nullptr, 0, look_again_ms);
  }
  return true;
}

void await(const std::function<bool()>& condition, const std::string& what, Milliseconds limit) {
  if (!comes_true(condition, limit)) throw Failure("waited in vain for " + what);
}

std::size_t await_standstill(const std::function<std::size_t()>& value, const std::string& what) {
  std::size_t last = value();
  Clock::time_point since = Clock::now();
  await(
      [&] {
        if (std::size_t now = value(); now != last) {
          last = now;
          since = Clock::now();
        }
        return Clock::now() - since >= Milliseconds(300);
      },
      what + " to stand still");
  return last;
}

}  // namespace baton::harness
