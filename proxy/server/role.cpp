#include "proxy/server/role.hpp"

#include <cassert>

namespace baton::proxy {

bool Role::is_instance() const {
  if (const auto* succeeding = std::get_if<Succeeding>(&state_)) return succeeding->is_instance;
  if (const auto* upgrading = std::get_if<Upgrading>(&state_)) return !upgrading->has_resigned;
  return is<Serving>() || is<Stopping>();
}

bool Role::has_resigned() const {
  if (const auto* upgrading = std::get_if<Upgrading>(&state_)) return upgrading->has_resigned;
  const auto* retired = std::get_if<Retired>(&state_);
  return retired != nullptr && retired->is_succeeded;
}

bool Role::is_stopping() const {
  if (const auto* upgrading = std::get_if<Upgrading>(&state_)) return upgrading->is_told_to_stop;
  return is<Stopping>() || is<Retired>();
}

bool Role::is_told_to_stop() const {
  if (const auto* upgrading = std::get_if<Upgrading>(&state_)) return upgrading->is_told_to_stop;
  if (const auto* stopping = std::get_if<Stopping>(&state_)) return stopping->is_told_to_stop;
  const auto* retired = std::get_if<Retired>(&state_);
  return retired != nullptr && retired->is_told_to_stop;
}

bool Role::has_canary() const {
  if (const auto* upgrading = std::get_if<Upgrading>(&state_)) return upgrading->has_canary;
  const auto* succeeding = std::get_if<Succeeding>(&state_);
  return succeeding != nullptr && succeeding->has_canary;
}

void Role::begin_canary() {
  if (auto* succeeding = std::get_if<Succeeding>(&state_)) {
    succeeding->has_canary = true;
  } else {
    std::get<Upgrading>(state_).has_canary = true;
  }
}

void Role::end_canary() {
  if (auto* succeeding = std::get_if<Succeeding>(&state_)) succeeding->has_canary = false;
  if (auto* upgrading = std::get_if<Upgrading>(&state_)) upgrading->has_canary = false;
}

void Role::succeed() {
  assert(is<Starting>());
  state_ = Succeeding();
}

void Role::become_instance() {
  if (auto* succeeding = std::get_if<Succeeding>(&state_)) {
    succeeding->is_instance = true;
    return;
  }
  assert(is<Starting>());
  state_ = Serving();
}

void Role::end_succession() {
  assert(is<Succeeding>());
  if (is_instance()) {
    state_ = Serving();
  } else {
    state_ = Retired();
  }
}

void Role::upgrade() {
  assert(is<Serving>());
  state_ = Upgrading();
}

void Role::resign() {
  std::get<Upgrading>(state_).has_resigned = true;
}

void Role::reclaim() {
  std::get<Upgrading>(state_).has_resigned = false;
}

void Role::upgrade_failed() {
  assert(is<Upgrading>());
  state_ = Serving();
}

void Role::upgrade_done() {
  assert(is<Upgrading>());
  state_ = Retired{.is_succeeded = true, .is_told_to_stop = false};
}

void Role::stop() {
  assert(is<Serving>() || is<Stopping>());
  if (is<Serving>()) state_ = Stopping();
}

void Role::tell_to_stop() {
  if (is<Serving>()) state_ = Stopping();
  if (auto* upgrading = std::get_if<Upgrading>(&state_)) upgrading->is_told_to_stop = true;
  if (auto* stopping = std::get_if<Stopping>(&state_)) stopping->is_told_to_stop = true;
  if (auto* retired = std::get_if<Retired>(&state_)) retired->is_told_to_stop = true;
}

}  // namespace baton::proxy
