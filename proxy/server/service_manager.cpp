#include "proxy/server/service_manager.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

#include "handoff/insist.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace asio = boost::asio;
namespace log = runtime::log;

namespace {

// How much time we ask for, and how often; the margin allows for a few lost requests.
constexpr std::chrono::microseconds time_asked_for = std::chrono::seconds(10);
constexpr std::chrono::seconds ask_for_time_every{2};

}  // namespace

ServiceManager::ServiceManager(asio::io_context& context, process::Notifier notifier, bool supervised)
    : context_(context), notifier_(std::move(notifier)), supervised_(supervised), watchdog_timer_(context) {}

// An unreachable manager is no reason to exit, and one log line about it is enough.
void ServiceManager::tell(const std::string& message) {
  const std::error_code error = notifier_.send(message);
  if (error && error != last_error_) {
    log::warning("the service manager cannot be reached at {}: {}", notifier_.address(), error.message());
  }
  last_error_ = error;
}

void ServiceManager::serving(Workers& workers, const std::string& status, std::optional<pid_t> main_pid) {
  status_ = process::status_assignment(status);
  tell((main_pid && !supervised_ ? fmt::format("MAINPID={}\n", *main_pid) : std::string()) + "READY=1\n" + status_);
  const bool is_fed = workers_ != nullptr;
  workers_ = &workers;
  if (is_fed || notifier_.watchdog().count() == 0) return;
  watch_again();
  ask_workers();
}

void ServiceManager::rest() {
  workers_ = nullptr;
  watchdog_timer_.cancel();
}

void ServiceManager::succeeded_by(pid_t successor) {
  if (!supervised_) handoff::insist([&] { tell(fmt::format("MAINPID={}\nREADY=1", successor)); });
}

// ── Reloading ─────────────────────────────────────────────────────────────────────────────────────────────────────

void ServiceManager::reloading() {
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n{}", runtime::monotonic_us(),
                   process::status_assignment("reloading the configuration")));
}

void ServiceManager::reloaded() {
  handoff::insist([this] { tell("READY=1\n" + status_); });
}

void ServiceManager::reload_failed(const std::string& why) {
  handoff::insist(
      [&] { tell("READY=1\n" + process::status_assignment("serving as before; the reload failed: " + why)); });
}

// ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────────────────

void ServiceManager::stopping(const std::string& status) {
  tell("STOPPING=1\n" + process::status_assignment(status));
}

void ServiceManager::ask_for_time(std::size_t connections) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_request_for_time_) return;
  next_request_for_time_ = now + ask_for_time_every;
  tell(fmt::format("EXTEND_TIMEOUT_USEC={}\n{}", time_asked_for.count(),
                   process::status_assignment(fmt::format("stopping: {} connections are served to their end", connections))));
}

// ── The watchdog ──────────────────────────────────────────────────────────────────────────────────────────────────

void ServiceManager::watch_again() {
  call_after(watchdog_timer_, std::max(notifier_.watchdog() / 2, std::chrono::microseconds(1000)), [this] {
    watch_again();  // rearm first, so that the timer survives any failure below
    ask_workers();
  });
}

// The watchdog is fed when every worker's loop has answered: one hung thread is as bad as all of them. No worker is
// asked again before that.
void ServiceManager::ask_workers() {
  if (workers_ == nullptr || unanswered_ != 0) return;
  for (std::size_t i = 0; i < workers_->size(); ++i) {
    workers_->at(i).loop().post([this] {
      // After one lost answer the workers would never be asked again.
      handoff::insist([this] {
        asio::post(context_, [this] {
          if (--unanswered_ == 0 && workers_ != nullptr) tell("WATCHDOG=1");
        });
      });
    });
    ++unanswered_;  // of those that have been asked; answers come to this thread, later
  }
}

// ── What was passed ───────────────────────────────────────────────────────────────────────────────────────────────

std::vector<BoundSocket> bind_or_take(const std::vector<WantedSocket>& wanted, process::PassedSockets passed,
                                      std::vector<handoff::InheritedSocket> inherited, std::vector<std::string> lent) {
  for (const std::string& why : passed.refused) log::error("passed by the service manager, and closed: {}", why);
  for (const auto& socket : passed.sockets) lent.push_back(socket.address);
  // The first with an address is taken.
  std::vector<handoff::InheritedSocket> all = std::move(inherited);
  const std::size_t first_passed = all.size();
  std::ranges::move(passed.sockets, std::back_inserter(all));
  const auto not_taken = [&] {
    std::string texts;
    for (std::size_t i = first_passed; i < all.size(); ++i) {
      if (all[i].descriptor) texts += (texts.empty() ? "" : ", ") + process::describe(all[i]);
    }
    return texts;
  };
  std::vector<BoundSocket> sockets;
  try {
    sockets = bind_listeners(wanted, all, lent);
  } catch (const std::runtime_error& error) {
    const std::string others = not_taken();
    if (others.empty()) throw;
    throw std::runtime_error(std::string(error.what()) + "; the service manager passed others: " + others);
  }
  if (const std::string others = not_taken(); !others.empty()) {
    log::warning("passed by the service manager, and closed, since {}: {}",
                 first_passed == 0 ? "no listener has the address" : "no listener has the address or its socket is inherited",
                 others);
  }
  return sockets;
}

}  // namespace baton::proxy
