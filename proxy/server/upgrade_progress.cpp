#include "proxy/server/upgrade_progress.hpp"

#include <algorithm>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace {

// Often enough that no client takes this side for dead.
constexpr std::chrono::milliseconds tell_every{200};

}  // namespace

UpgradeProgress::UpgradeProgress(boost::asio::io_context& context, std::function<std::uint64_t()> connections,
                                 admin::LineSink client, Watcher watcher)
    : connections_(std::move(connections)),
      timer_(context),
      watcher_(std::move(watcher)),
      began_unix_ms_(runtime::unix_us() / 1000) {
  if (client) clients_.push_back(std::move(client));
}

void UpgradeProgress::tell(const std::string& line) {
  for (const admin::LineSink& client : clients_) client(line, false);
  if (watcher_) watcher_(line);
}

void UpgradeProgress::reach(const char* step) {
  using std::chrono::milliseconds;
  if (std::ranges::find(steps_, step, &state::UpgradeStep::step) != steps_.end()) return;
  const auto passed = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began_);
  steps_.push_back({step, static_cast<std::uint64_t>(passed.count())});
}

admin::LastUpgrade UpgradeProgress::recorded(std::string result, std::string reason, handoff::Report report) const {
  return {.result = std::move(result),
          .reason = std::move(reason),
          .report = std::move(report),
          .at_ms = began_unix_ms_,
          .steps = steps_};
}

void UpgradeProgress::tell_periodically() {
  if (clients_.empty() && !watcher_) return;
  // Rearm first, so that the timer survives whatever fails below.
  call_after(timer_, tell_every, [this, here = std::weak_ptr(is_here_)] {
    if (!here.expired()) tell_periodically();
  });
  if (connections_to_move_) {
    tell(admin::moving_event(std::min(connections_(), *connections_to_move_), *connections_to_move_));
  } else if (std::ranges::find(steps_, "canary", &state::UpgradeStep::step) == steps_.end()) {
    tell(admin::waiting_event());  // a canary has events of its own
  }
}

void UpgradeProgress::begin_moving() {
  connections_to_move_ = connections_();
  tell_periodically();
}

void UpgradeProgress::tell_result(const admin::LastUpgrade& result) {
  timer_.cancel();
  const std::vector<admin::LineSink> waiting = std::exchange(clients_, {});
  const std::string event = handoff::insist([&] { return admin::result_event(result); });
  for (const admin::LineSink& client : waiting) handoff::insist([&] { client(event, true); });
  if (watcher_) handoff::insist([&] { watcher_(event); });
}

}  // namespace baton::proxy
