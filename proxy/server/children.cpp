#include "proxy/server/children.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace {

constexpr std::chrono::milliseconds look_for_exits_every{200};

}  // namespace

void Children::add(pid_t child) {
  children_.push_back({child, std::nullopt, std::nullopt});
}

void Children::reap() {
  int status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    std::erase_if(children_, [pid](const Child& child) { return child.pid == pid && child.deadline; });
    const auto found = std::ranges::find(children_, pid, &Child::pid);
    if (found != children_.end()) found->status = status;
  }
}

const Children::Child* Children::find(pid_t child) const {
  const auto found = std::ranges::find(children_, child, &Child::pid);
  return found == children_.end() ? nullptr : &*found;
}

std::optional<int> Children::status_of(pid_t child) const {
  const Child* found = find(child);
  return found != nullptr ? found->status : std::nullopt;
}

void Children::kill(pid_t child) {
  const Child* found = find(child);
  if (found != nullptr && !found->status) ::kill(child, SIGKILL);
}

void Children::forget(pid_t child) {
  std::erase_if(children_, [child](const Child& one) { return one.pid == child; });
}

void Children::leave_to_its_end(pid_t child, std::chrono::milliseconds at_most) {
  const auto found = std::ranges::find(children_, child, &Child::pid);
  if (found == children_.end() || found->status) return forget(child);
  found->deadline = std::chrono::steady_clock::now() + at_most;
  watch_left_ones();
}

bool Children::has_left_ones() const {
  return std::ranges::any_of(children_, [](const Child& child) { return child.deadline.has_value(); });
}

void Children::kill_left_ones() const {
  for (const Child& child : children_) {
    if (child.deadline) ::kill(child.pid, SIGKILL);
  }
}

void Children::watch_left_ones() {
  call_after(timer_, look_for_exits_every, [this] {
    reap();
    for (const Child& child : children_) {
      if (child.deadline && std::chrono::steady_clock::now() >= *child.deadline) ::kill(child.pid, SIGKILL);
    }
    if (has_left_ones()) watch_left_ones();
  });
}

}  // namespace baton::proxy
