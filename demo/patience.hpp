// Waiting in the demo's main thread: short naps that a signal ends.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>

namespace baton::demo {

// What is not there by then hangs. Generous, since the machine may be busy: only a demo that fails waits so long.
inline constexpr std::chrono::seconds hung_after{20};

// The user, a terminal or a supervisor wants the demo to end.
struct Interrupted {
  int signal;
};

// Blocks SIGINT, SIGTERM, SIGHUP and SIGPIPE (nobody reads our output any more) for its lifetime, in this thread and in
// those that are started meanwhile, and throws Interrupted from its waits instead; so destructors clean everything up.
class Patience {
 public:
  Patience();
  ~Patience();
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

  // Called between naps, some fifty times a second, in every wait that follows.
  void while_waiting(std::function<void()> also) { also_ = std::move(also); }

  // True as soon as `done` is; false when it is not within `limit`. A zero limit asks once.
  bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit);

  void wait(std::chrono::milliseconds time);

 private:
  void nap();

  sigset_t signals_;
  sigset_t before_;
  std::function<void()> also_;
};

}  // namespace baton::demo
