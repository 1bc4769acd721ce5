#include "proxy/server/commands.hpp"

#include <csignal>
#include <exception>
#include <utility>

#include "config/load.hpp"
#include "handoff/result.hpp"
#include "proxy/admin/history.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

constexpr unsigned ok = 200;
constexpr unsigned conflict = 409;
constexpr unsigned cannot_be_done = 422;
constexpr unsigned not_implemented = 501;
constexpr const char* not_the_instance = "another process is the instance now; try again";

}  // namespace

admin::Source Commands::source() {
  return {.ready = [this] { return is_ready(); },
          .status = [this](auto answer) { parts_.status.answer(is_ready(), std::move(answer)); },
          .command = [this](admin::Command command, admin::ReplySink answer) { obey(command, std::move(answer)); },
          .upgrade = [this](const admin::UpgradeCommand& command,
                            admin::LineSink lines) { return upgrade(command, std::move(lines)); },
          .server = [this](const admin::ServerCommand& command) { return server(command); },
          .configuration = [this] { return config::print_without_secrets(parts_.data_path.config()); },
          .configure = [this](admin::ConfigurationCommand command,
                              admin::ReplySink answer) { configure(std::move(command), std::move(answer)); },
          .token = [this] { return parts_.data_path.config().admin_token; },
          .history = [this] { return admin::history_json(parts_.generation.history); }};
}

void Commands::obey(admin::Command command, admin::ReplySink answer) {
  // The connection was opened before the successor became the instance.
  if (!parts_.role.is_instance()) return answer({conflict, not_the_instance});
  switch (command) {
    case admin::Command::reload:
      return reload(std::move(answer));
    case admin::Command::drain:
      return answer(drain(true));
    case admin::Command::undo_drain:
      return answer(drain(false));
    case admin::Command::maintenance:
      return answer(maintenance(true));
    case admin::Command::end_maintenance:
      return answer(maintenance(false));
    case admin::Command::stop:
      return answer(stop());
    case admin::Command::reopen_logs:
      return reopen_logs(std::move(answer));
  }
  answer({not_implemented, "unknown command"});
}

std::optional<std::string> Commands::why_no_reload() const {
  if (parts_.role.is_upgrading()) return "an upgrade is in progress; try again when it has ended";
  if (parts_.role.is_stopping()) return "this process is stopping";
  return std::nullopt;
}

// It may have been given up for something that has begun since.
unsigned Commands::status_of(const Reloads::Outcome& outcome) const {
  return outcome ? ok : why_no_reload() ? conflict : cannot_be_done;
}

void Commands::reload(admin::ReplySink answer) {
  if (const auto why = why_no_reload()) return answer({conflict, *why});
  parts_.reloads.begin([this, answer = std::move(answer)](const Reloads::Outcome& outcome) {
    answer({status_of(outcome), outcome ? *outcome : outcome.error()});
  });
}

void Commands::configure(admin::ConfigurationCommand command, admin::ReplySink answer) {
  const auto write = command.json ? admin::configuration_json : admin::configuration_text;
  auto why = why_no_reload();
  if (!parts_.role.is_instance()) why = not_the_instance;
  if (!why && !parts_.reloads.has_room()) why = "too many others wait for their turn; try again later";
  if (why) return answer({conflict, write(false, *why, {}), command.json});
  parts_.reloads.apply(std::move(command.yaml), command.dry_run,
                       [this, write, is_json = command.json, answer = std::move(answer)](
                           const Reloads::Outcome& outcome, const std::vector<config::Change>& changes) {
                         const std::string& text = outcome ? *outcome : outcome.error();
                         answer({status_of(outcome), write(outcome.has_value(), text, changes), is_json});
                       });
}

admin::Reply Commands::stop() {
  if (parts_.role.is_told_to_stop()) return {ok, "stopping already"};
  const std::uint64_t left = parts_.data_path.connections();
  parts_.on_signal(SIGTERM);
  return {ok, fmt::format("stopping: {} connections are served to their end, at most {} s", left,
                          parts_.data_path.config().timeouts.shutdown.count() / 1000)};
}

admin::Reply Commands::drain(bool on) {
  if (parts_.role.is_stopping()) return {conflict, "this process is stopping"};
  parts_.generation.is_draining = on;
  parts_.supervision.announce();
  const char* text = on ? "draining: /readyz answers 503, service continues" : "serving: /readyz answers 200";
  log::info("{}", text);
  return {ok, text};
}

// It reaches this process alone.
std::optional<admin::Reply> Commands::refusal_beside_canary() const {
  if (!parts_.role.has_canary()) return std::nullopt;
  return admin::Reply{conflict,
                      "an upgrade has a canary, which would not learn of it; first `baton ctl promote` or "
                      "`baton ctl rollback`"};
}

admin::Reply Commands::maintenance(bool on) {
  if (auto refusal = refusal_beside_canary()) return *std::move(refusal);
  parts_.data_path.set_maintenance(on);
  parts_.supervision.announce();
  const char* text = on ? "maintenance is on: clients get the page of `maintenance`" : "maintenance is off";
  log::info("{}", text);
  return {ok, text};
}

admin::Reply Commands::server(const admin::ServerCommand& command) {
  using What = admin::ServerCommand::What;
  if (auto refusal = refusal_beside_canary()) return *std::move(refusal);
  if (!parts_.role.is_instance()) return {conflict, not_the_instance};
  const auto standing = parts_.data_path.settings()->servers->find(command.upstream, command.address);
  const std::string name = command.upstream + "/" + command.address;
  if (!standing) return {cannot_be_done, "there is no server " + name + "; `baton ctl servers` shows them"};
  const upstream::Terms terms = standing->terms();
  standing->change([&](state::ServerFacts& facts) {
    facts.ordered_ms = runtime::monotonic_ms();
    facts.weight_then = terms.weight_in_file();
    facts.drain_then = terms.drain;
    if (command.what == What::weight) {
      facts.weight = command.weight;
      return;
    }
    facts.order = command.what == What::drain  ? state::Order::drain
                  : command.what == What::down ? state::Order::down
                                               : state::Order::up;
    if (command.what != What::up || facts.ejected_until_ms == 0) return;
    facts.ejected_until_ms = 0;
    facts.ejections = 0;
    facts.ejected_ms = facts.ordered_ms;
  });
  parts_.supervision.announce();
  const std::string done = command.what == What::weight  ? fmt::format("has weight {}", command.weight)
                           : command.what == What::drain ? "is drained: it gets no new clients"
                           : command.what == What::down  ? "is down: it gets no requests"
                                                         : "is up";
  log::info("server {} {}, by command", name, done);
  return {ok, fmt::format("{} {}", name, done)};
}

void Commands::reopen_logs(admin::ReplySink answer) {
  parts_.data_path.reopen_logs([answer = std::move(answer)] { answer({ok, "log files reopened"}); });
  if (UpgradeAttempt* attempt = parts_.upgrades.current()) attempt->note_logs_reopened();
}

std::optional<admin::Reply> Commands::upgrade(const admin::UpgradeCommand& command, admin::LineSink lines) {
  using What = admin::UpgradeCommand::What;
  const bool is_rollback = command.what == What::rollback;
  parts_.settle();
  if (UpgradeAttempt* attempt = parts_.upgrades.current()) {
    if (is_rollback && attempt->is_being_tried()) return call_off(*attempt, std::move(lines));
    if (command.what == What::promote && attempt->is_undecided_canary()) return promote(*attempt, std::move(lines));
  }
  if (command.what == What::promote) {
    const UpgradeAttempt* const attempt = parts_.upgrades.current();
    const bool is_early = attempt != nullptr && attempt->will_be_canary();
    return admin::Reply{conflict, is_early ? "the canary has not begun to serve yet; try again in a moment"
                                           : "no canary is waiting to be promoted"};
  }
  if (is_rollback && has_just_come_back()) {
    return admin::Reply{conflict,
                        "the canary has come back already; to go back to what ran before this process, too, "
                        "repeat the command in ten seconds"};
  }
  std::optional<std::string> why_not;
  try {
    why_not =
        is_rollback ? parts_.upgrades.roll_back(std::move(lines)) : parts_.upgrades.begin(command, std::move(lines));
  } catch (const std::exception& error) {
    why_not = handoff::describe(error);
  }
  if (!why_not) return std::nullopt;
  log::warning("{}: refused: {}", is_rollback ? "rollback" : "upgrade", *why_not);
  return admin::Reply{conflict, *why_not};
}

// Who wants to call a canary back may be late by a moment, and does not mean what ran before.
bool Commands::has_just_come_back() const {
  constexpr std::int64_t moment_ms = 10'000;
  const auto& last = parts_.generation.last_upgrade;
  if (!last || !last->canary || last->result == "completed") return false;
  const auto took_ms = static_cast<std::int64_t>(last->report.duration_us / 1000);
  return runtime::unix_us() / 1000 < last->at_ms + took_ms + moment_ms;
}

std::optional<admin::Reply> Commands::promote(UpgradeAttempt& attempt, admin::LineSink lines) {
  attempt.progress().add(std::move(lines));
  log::info("upgrade: the canary is promoted by command");
  attempt.promote();
  return std::nullopt;
}

// While the successor is on probation or a canary, a rollback means cancelling the upgrade.
std::optional<admin::Reply> Commands::call_off(UpgradeAttempt& attempt, admin::LineSink lines) {
  attempt.progress().add(std::move(lines));
  log::info("upgrade: cancelled by command");
  attempt.progress().tell(admin::recalled_event());
  attempt.call_off("cancelled by command");
  return std::nullopt;
}

}  // namespace baton::proxy
