// Waiting in the demo's main thread: short naps that a signal ends.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>

namespace baton::demo {

// Anything slower is considered hung. Generous, since the machine may be busy: only a failing demo waits for this long.
inline constexpr std::chrono::seconds hung_after{20};

// As options are given; no time if negative.
std::chrono::milliseconds from_seconds(double seconds);

// The user, a terminal or a supervisor wants the demo to end.
struct Interrupted {
  int signal;
};

// While it exists, blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE (our output has no reader) in this thread and in threads
// started in that time, and throws Interrupted from its waits instead, so that destructors clean everything up.
class Patience {
 public:
  Patience();
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  // Called between naps, about fifty times a second, in every subsequent wait.
  void while_waiting(std::function<void()> also) { also_ = std::move(also); }

  // True as soon as `done` is; false if it is not within `limit`. A zero limit asks once.
  bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit);

  void wait(std::chrono::milliseconds time);

 private:
  void nap();

  sigset_t signals_;
  sigset_t before_;
  std::function<void()> also_;
};

}  // namespace baton::demo
