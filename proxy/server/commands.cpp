// What the admin interface may ask of the server and tell it to do.
#include <algorithm>
#include <csignal>
#include <utility>

#include "handoff/insist.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/server.hpp"
#include "proxy/server/timer.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// How often whoever commanded an upgrade hears of it. Nobody need ever think that the other side is dead.
constexpr std::chrono::milliseconds progress_every{200};

constexpr unsigned ok = 200;
constexpr unsigned conflict = 409;
constexpr unsigned cannot_be_done = 422;
constexpr unsigned not_implemented = 501;

}  // namespace

bool Server::is_ready() const {
  return !draining_ && role_.is_ready();
}

admin::Source Server::admin_source() {
  return {.ready = [this] { return is_ready(); },
          .status = [this](auto answer) { answer_status(std::move(answer)); },
          .command = [this](admin::Command command, admin::ReplySink answer) { obey(command, std::move(answer)); },
          .upgrade = [this](const admin::UpgradeCommand& command,
                            admin::LineSink lines) { return upgrade_on_command(command, std::move(lines)); }};
}

void Server::obey(admin::Command command, admin::ReplySink answer) {
  // After the successor has become the instance, on a connection that was open before.
  if (!role_.is_instance()) return answer({conflict, "another process is the instance now; ask again"});
  switch (command) {
    case admin::Command::reload:
      if (role_.is_upgrading()) return answer({conflict, "an upgrade is under way; ask again when that has ended"});
      if (role_.is_stopping()) return answer({conflict, "this process is stopping"});
      return reload([this, answer = std::move(answer)](const ReloadOutcome& outcome) {
        const unsigned why_not = role_.is_upgrading() || role_.is_stopping() ? conflict : cannot_be_done;
        answer(outcome ? admin::Reply{ok, *outcome} : admin::Reply{why_not, outcome.error()});
      });
    case admin::Command::drain:
      return answer(drain(true));
    case admin::Command::undo_drain:
      return answer(drain(false));
    case admin::Command::stop: {
      if (role_.is_told_to_stop()) return answer({ok, "stopping already"});
      const std::uint64_t left = shared_.connections.load();
      on_signal(SIGTERM);
      return answer({ok, fmt::format("stopping: {} connections are served to their end, at most {} s", left,
                                     settings_->config.timeouts.shutdown.count() / 1000)});
    }
    case admin::Command::reopen_logs:
      reopen_logs([answer = std::move(answer)] { answer({ok, "log files reopened"}); });
      if (role_.is_upgrading()) remembered_signals_.remember(SIGUSR1);
      return;
  }
  answer({not_implemented, "unknown command"});
}

admin::Reply Server::drain(bool on) {
  if (role_.is_stopping()) return {conflict, "this process is stopping"};
  draining_ = on;
  announce();
  const char* text = on ? "draining: /readyz answers 503, the service goes on" : "serving: /readyz answers 200";
  log::info("{}", text);
  return {ok, text};
}

std::optional<admin::Reply> Server::upgrade_on_command(const admin::UpgradeCommand& command, admin::LineSink lines) {
  if (role_.is_upgrading() && command.rollback && probation_ends_) return call_off_on_command(std::move(lines));
  if (role_.is_upgrading()) return admin::Reply{conflict, "an upgrade is under way already; ask again when that has ended"};
  upgrade_lines_ = {std::move(lines)};
  std::optional<std::string> why_not;
  try {
    why_not = command.rollback ? begin_rollback() : begin_upgrade(command.binary);
  } catch (const std::exception& error) {
    why_not = error.what();
  }
  if (!why_not) return std::nullopt;
  upgrade_lines_.clear();
  log::warning("{}: refused: {}", command.rollback ? "rollback" : "upgrade", *why_not);
  return admin::Reply{conflict, *why_not};
}

// While the successor is on probation the way back is to call the upgrade off.
std::optional<admin::Reply> Server::call_off_on_command(admin::LineSink lines) {
  upgrade_lines_.push_back(std::move(lines));
  log::info("upgrade: called off by command");
  tell(admin::recalled_event());
  donor_->call_off("called off by command");
  return std::nullopt;
}

void Server::tell(const std::string& line) {
  for (const admin::LineSink& lines : upgrade_lines_) lines(line, false);
}

void Server::tell_progress() {
  if (upgrade_lines_.empty()) return;
  // First: whatever goes wrong below, there is a next time.
  call_after(progress_timer_, progress_every, [this] { tell_progress(); });
  if (connections_to_move_) {
    const std::uint64_t left = std::min(shared_.connections.load(), *connections_to_move_);
    tell(admin::moving_event(left, *connections_to_move_));
  } else {
    tell(admin::waiting_event());
  }
}

void Server::tell_result(const admin::LastUpgrade& result) {
  progress_timer_.cancel();
  const std::vector<admin::LineSink> waiting = std::exchange(upgrade_lines_, {});
  const std::string event = handoff::insist([&] { return admin::result_event(result); });
  for (const admin::LineSink& lines : waiting) handoff::insist([&] { lines(event, true); });
}

}  // namespace baton::proxy
