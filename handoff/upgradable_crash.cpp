// What an Upgradable does so that a crash of its process is survived.
#include <sys/epoll.h>
#include <sys/prctl.h>

#include <string>

#include "handoff/survival.hpp"
#include "handoff/upgradable.hpp"

namespace baton::handoff {

void Upgradable::begin_to_survive() {
  const auto begun = as_result([this]() -> Result<void> {
    survival_ = Survival::begin(terms_);
    return {};
  });
  if (!begun) return say("a crash will not be survived: " + begun.error().text);
  fleet_.keep_in(&survival_->kept());
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, survival_->descriptor().get(), &event);
  // A keeper starts a file without a name, after which the kernel would call us.
  const std::string& path = terms_.arguments.at(0);
  ::prctl(PR_SET_NAME, path.substr(path.rfind('/') + 1).c_str());
}

void Upgradable::survive_no_more() {
  say("the keeper, PID " + std::to_string(survival_->keeper()) +
      ", is gone: a crash will not be survived until an upgrade brings another one");
  fleet_.keep_in(nullptr);
  survival_.reset();
}

void Upgradable::enter(State state) {
  state_ = state;
  if (!survival_) return;
  survival_->kept().control().is_serving = false;
  if (state == State::serving) remember();
}

void Upgradable::remember() {
  if (!survival_) return;
  Kept::Control& control = survival_->kept().control();
  control.is_serving = false;
  control.generation = generation_;
  control.lock = lock_.descriptor();
  control.lock_to_pass_on = terms_.lock.empty() ? lock_.to_pass_on() : -1;
  const auto remembered = as_result([&]() -> Result<void> {
    Parcel listeners;
    for (const Listener& listener : listeners_) {
      listeners.required_features.push_back(listener.name);
      listeners.descriptors.push_back(listener.socket.get());
    }
    survival_->kept().publish_listeners(listeners);
    return {};
  });
  if (!remembered) return say("a crash will not be survived: " + remembered.error().text);
  control.is_serving = true;
}

}  // namespace baton::handoff
