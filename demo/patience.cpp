#include "demo/patience.hpp"

#include <pthread.h>

#include <algorithm>

namespace baton::demo {
namespace {
constexpr timespec nap_time{.tv_sec = 0, .tv_nsec = 20'000'000};
}

std::chrono::milliseconds from_seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(std::max(0.0, seconds)));
}

Patience::Patience() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

Patience::~Patience() {
  // Signals that arrived during cleanup have had their effect; otherwise a second Ctrl-C would kill us now.
  constexpr timespec at_once{};
  while (sigtimedwait(&signals_, nullptr, &at_once) > 0) continue;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Patience::wait_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    nap();
  }
  return true;
}

void Patience::wait(std::chrono::milliseconds time) {
  wait_until([] { return false; }, time);
}

void Patience::nap() {
  if (also_) also_();
  if (const int signal = sigtimedwait(&signals_, nullptr, &nap_time); signal > 0) throw Interrupted{signal};
}

}  // namespace baton::demo
