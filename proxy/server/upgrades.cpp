#include "proxy/server/upgrades.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "handoff/insist.hpp"
#include "handoff/temporary.hpp"
#include "proxy/admin/upgrade_events.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/server/upgrade_counts.hpp"

namespace baton::proxy {

namespace log = runtime::log;

namespace {

// The first line of a reason, if the others have been logged.
std::string without_lines(const std::string& reason) {
  const std::size_t end = reason.find('\n');
  if (end == std::string::npos) return reason;
  return reason.substr(0, end > 0 && reason[end - 1] == ':' ? end - 1 : end) + ", as the lines before say";
}

// The one line that says what an upgrade did.
std::string report_line(const handoff::Report& report) {
  const auto counts = [](const std::map<std::string, std::uint64_t>& numbers) {
    std::string text;
    for (const auto& [label, number] : numbers)
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", label, number);
    return text.empty() ? std::string("none") : text;
  };
  const auto known = [](const auto& number) { return number == 0 ? std::string("unknown") : std::to_string(number); };
  const admin::Moved moved = admin::moved_of(report);
  std::uint64_t refused = 0;
  for (const auto& [reason, number] : report.refused) refused += number;
  return fmt::format(
      "generation {} to {}, PID {} to {}, version {} to {}, {:.1f} ms; moved={} ({}), taken_back={}, "
      "refused={}{}{}{}, upstream_idle={}; "
      "pause p50={} us p99={} us max={} us",
      report.from.generation, known(report.to.generation), report.from.pid, known(report.to.pid), report.from.version,
      report.to.version.empty() ? "unknown" : report.to.version, static_cast<double>(report.duration_us) / 1000.0,
      moved.clients_total, counts(moved.clients), report.taken_back, refused,
      refused != 0 ? " (" + counts(report.refused) + ")" : "",
      report.left_behind != 0 ? fmt::format(", left_behind={}", report.left_behind) : "",
      report.returned != 0 ? fmt::format(", came_back={}", report.returned) : "", moved.upstream_idle,
      report.pauses.p50_us, report.pauses.p99_us, report.pauses.max_us);
}

}  // namespace

// ── How it begins ─────────────────────────────────────────────────────────────────────────────────────────────────

std::optional<std::string> Upgrades::why_not() const {
  const Role& role = parts_.attempt.role;
  if (role.is_upgrading()) {
    return attempt_ && attempt_->is_undecided_canary()
               ? "one is in progress already, with a canary; `baton ctl promote` or `baton ctl rollback` decides it"
               : "one is in progress already; try again when it has ended";
  }
  if (role.is_stopping()) return "this process is stopping";
  if (!role.is_instance()) return "this process is not the instance";
  return std::nullopt;
}

std::unique_ptr<UpgradeAttempt> Upgrades::make_attempt(admin::LineSink client,
                                                       const std::optional<config::Canary>& canary) {
  return std::make_unique<UpgradeAttempt>(context_, parts_.attempt, std::move(client), canary);
}

std::optional<std::string> Upgrades::begin(const admin::UpgradeCommand& command, admin::LineSink client) {
  if (auto reason = why_not()) return reason;
  const Generation& generation = parts_.generation;
  handoff::Program program{.arguments = generation.arguments, .configuration = {}, .descriptors = {}};
  // Otherwise the successor reads the file.
  const bool is_from_file = command.from_file || command.reload;
  if (generation.provenance.is_applied && !is_from_file) program.configuration = generation.configuration_text;
  // A successor keeps the path that it is started from and starts its own successor from there.
  if (!command.binary.empty()) program.arguments[0] = command.binary;
  if (command.reload) program.executable = generation.executable.get();
  std::optional<config::Canary> canary = command.canary;
  if (!canary && !command.without_canary) canary = parts_.attempt.data_path.handoff().canary;
  start(make_attempt(std::move(client), canary), std::move(program));
  return std::nullopt;
}

std::optional<std::string> Upgrades::roll_back(admin::LineSink client) {
  if (auto reason = why_not()) return reason;
  if (!parts_.generation.previous) return "no previous program is known";
  const Previous& previous = *parts_.generation.previous;
  const state::Program& before = previous.program;
  auto attempt = make_attempt(std::move(client));
  const std::uint64_t unknown = unknown_to_previous();
  if (unknown != 0) {
    log::warning("rollback: {} connections cannot move to baton {}; they are served here to their end, at most {} s",
                 unknown, before.version, parts_.attempt.data_path.handoff().drain_timeout.count() / 1000);
  }
  attempt->progress().tell(admin::rollback_event(before.version, unknown));
  start(std::move(attempt), {.arguments = before.arguments,
                             .executable = previous.executable.get(),
                             .configuration = configuration_to_roll_back_to(),
                             .descriptors = {}});
  return std::nullopt;
}

// What was applied since goes on: who applied it does not expect an older one. Of one that both had, the previous
// program's own text, which it can read for certain.
const std::string& Upgrades::configuration_to_roll_back_to() const {
  const Generation& generation = parts_.generation;
  const std::string& before = generation.previous->program.configuration;
  if (!generation.provenance.is_applied) {
    if (const auto theirs = config::provenance_of(before); theirs && theirs->is_applied) {
      log::warning("rollback: the configuration becomes the one that was applied to the admin interface before");
    }
    return before;
  }
  if (config::provenance_of(before) == generation.provenance) return before;
  log::info("rollback: the configuration that was applied to the admin interface stays");
  return generation.configuration_text;
}

// The number of connections that the previous program could not serve, and that would stay here until they end.
std::uint64_t Upgrades::unknown_to_previous() {
  std::uint64_t unknown = 0;
  parts_.attempt.data_path.workers().each(
      [&](Worker& worker) { unknown += worker.count_unknown_to(parts_.generation.previous->program.features); });
  return unknown;
}

void Upgrades::start(std::unique_ptr<UpgradeAttempt> attempt, handoff::Program program) {
  const auto begun = handoff::as_result([&] { return start_successor(attempt, std::move(program)); });
  if (begun) return;
  note_failed_start(attempt->progress(), begun.error().text);
}

handoff::Result<void> Upgrades::start_successor(std::unique_ptr<UpgradeAttempt>& attempt, handoff::Program program) {
  const int lock = parts_.attempt.instance.lock_descriptor();
  if (auto ours = parts_.attempt.instance.check_lock_path(); !ours) return ours;
  const bool has_other_lock = parts_.attempt.instance.lock_descriptor() != lock;
  if (parts_.attempt.instance.put_sockets_back() || has_other_lock) parts_.attempt.supervision.announce();
  if (const auto door = parts_.attempt.supervision.door()) program.descriptors.push_back(*door);
  program.environment = log::environment();
  auto started = handoff::start_successor(program);
  if (!started) return std::unexpected(started.error());
  const pid_t child = started->pid;
  log::info("upgrade begins: started {} as PID {}", program.arguments[0], child);
  attempt->progress().tell(admin::started_event(child, program.arguments[0]));
  handoff::Channel channel(std::move(started->channel));
  auto begun = handoff::as_result([&] {
    parts_.children.add(child);
    return converse(attempt, channel, UpgradeAttempt::Child{child});
  });
  if (begun) return begun;
  ::kill(child, SIGKILL);  // reaped like every other child
  parts_.children.forget(child);
  return begun;
}

// Its Hello has arrived.
void Upgrades::taken_over_by(ExternalSuccessor successor) {
  if (const auto reason = why_not()) {
    log::warning("takeover: {} is refused: {}", successor.who.text(), *reason);
    return ExternalSuccessors::refuse(std::move(successor), *reason);
  }
  std::unique_ptr<UpgradeAttempt> attempt;
  const auto begun = handoff::as_result([&]() -> handoff::Result<void> {
    attempt = make_attempt({});
    const int lock = parts_.attempt.instance.lock_descriptor();
    if (auto ours = parts_.attempt.instance.check_lock_path(); !ours) return ours;
    if (parts_.attempt.instance.lock_descriptor() != lock) parts_.attempt.supervision.announce();
    log::info("upgrade begins: {} takes over", successor.who.text());
    if (parts_.generation.provenance.is_applied) {
      log::warning("takeover: its own configuration replaces the one that was applied to the admin interface here");
    }
    return converse(attempt, successor.channel, UpgradeAttempt::External{successor.who.text()});
  });
  if (begun) return;
  if (attempt) note_failed_start(attempt->progress(), begun.error().text);
  ExternalSuccessors::refuse(std::move(successor), begun.error().text);
}

// After an error nothing has changed, and the caller still owns the channel.
handoff::Result<void> Upgrades::converse(std::unique_ptr<UpgradeAttempt>& attempt, handoff::Channel& channel,
                                         UpgradeAttempt::Successor successor) {
  auto begun = attempt->begin(channel, std::move(successor), [this](const auto& outcome) { ended(outcome); });
  if (!begun) return begun;
  // Nothing fails from here on. Requests of the conversation to this thread are handled later.
  parts_.attempt.role.upgrade();
  attempt_ = std::move(attempt);
  const bool is_applied = parts_.generation.provenance.is_applied;
  if (parts_.reloads.is_file_wanted()) {
    // The successor has an applied configuration, and reads the file only when told to.
    is_applied ? attempt_->signals().remember(SIGHUP) : attempt_->note_dropped_reload();
  }
  const auto dropped = handoff::as_result([&]() -> handoff::Result<void> {
    return parts_.reloads.drop("an upgrade has begun",
                               is_applied ? ", after which the file is read" : ", which rereads the configuration"),
           handoff::Result<void>();
  });
  if (!dropped) log::error("reload: {}", dropped.error().text);
  (void)handoff::as_result(
      [this]() -> handoff::Result<void> { return attempt_->progress().tell_periodically(), handoff::Result<void>(); });
  return {};
}

void Upgrades::note_failed_start(UpgradeProgress& progress, const std::string& why) {
  handoff::Report report;
  report.from = parts_.attempt.self.side();
  progress.reach("failed");
  parts_.generation.note_upgrade(progress.recorded("failed", why, std::move(report)));
  count_failed(*parts_.generation.last_upgrade, false);
  parts_.attempt.supervision.announce();
  log::error("upgrade: failed: {}; this process continues", why);
  progress.tell_result(*parts_.generation.last_upgrade);
}

// ── How it ends ───────────────────────────────────────────────────────────────────────────────────────────────────

// Reports that memory does not suffice for are omitted. Connections that stay are served to their end, and then this
// process ends.
void Upgrades::ended(const handoff::HandoverOutcome& outcome) {
  parts_.attempt.data_path.settings()->servers->loads().be_alone();
  outcome.ending == handoff::Ending::rolled_back ? failed(outcome) : completed(outcome);
}

// The successor is the instance.
void Upgrades::completed(const handoff::HandoverOutcome& outcome) {
  const std::unique_ptr<UpgradeAttempt> attempt = std::move(attempt_);
  Role& role = parts_.attempt.role;
  DataPath& data_path = parts_.attempt.data_path;
  const bool is_told_to_stop = role.is_told_to_stop();
  role.upgrade_done();
  handoff::insist([&] {
    const std::string reason = outcome.reason.empty() ? admin::what_stayed(outcome.report) : outcome.reason;
    if (outcome.ending == handoff::Ending::superseded) {
      log::error("upgrade: the successor is the instance although the conversation broke ({}); {}", outcome.reason,
                 report_line(outcome.report));
    } else {
      log::info("upgrade: {}", report_line(outcome.report));
    }
    attempt->progress().reach("done");
    attempt->progress().tell_result(attempt->recorded("completed", reason, outcome.report));
  });
  tell_who_is_instance(*attempt, outcome.report);
  const std::uint64_t left = data_path.connections();
  for (const BoundSocket* socket : attempt->not_taken()) {
    data_path.empty_queue(*socket);
    unlink_path(*socket);
  }
  parts_.ending.serve_what_stays(0);
  if (left != 0) {
    log::warning("{} connections could not be moved and are served here to their end, at most {} s", left,
                 data_path.handoff().drain_timeout.count() / 1000);
  }
  if (is_told_to_stop) parts_.ending.stop_within_limit("told to during the upgrade");
}

void Upgrades::tell_who_is_instance(UpgradeAttempt& attempt, const handoff::Report& report) {
  const auto reported = static_cast<pid_t>(report.to.pid);
  if (const pid_t child = attempt.child(); child != 0) {
    const pid_t instance = reported > 0 ? reported : child;  // the child may be a wrapper
    parts_.attempt.manager.succeeded_by(instance);
    parts_.attempt.supervision.succeeded_by(instance, false);
    for (const int signal : attempt.signals().not_sent()) process::pass_on(signal, instance);
  } else {
    // It belongs to another service, and its PID means nothing to our service manager. Signals that came too late to be
    // sent to it are dropped.
    log::info("taken over by {}", attempt.external());
    handoff::insist([&] { parts_.attempt.manager.stopping("taken over by " + attempt.external()); });
    parts_.attempt.supervision.succeeded_by(reported, true);
  }
}

void Upgrades::failed(const handoff::HandoverOutcome& outcome) {
  std::unique_ptr<UpgradeAttempt> attempt = std::move(attempt_);
  parts_.attempt.role.upgrade_failed();
  const pid_t child = attempt->child();
  const std::string line = handoff::insist([&] { return note_failure(*attempt, outcome, child); });
  handoff::insist([&] { log::error("{}", line); });
  parts_.attempt.instance.events().withdraw_offer();
  parts_.attempt.supervision.announce();
  // A child that owns nothing is useless and is killed. One that may own connections serves them to their end. An
  // external successor is not ours to kill.
  if (outcome.successor_serves) {
    const config::Handoff& handoff = parts_.attempt.data_path.handoff();
    parts_.children.leave_to_its_end(child, handoff.drain_timeout + handoff.step_timeout * 2);
  } else {
    parts_.children.kill(child);
    parts_.children.forget(child);
  }
  const pid_t named = child != 0 ? child : static_cast<pid_t>(outcome.report.to.pid);  // as it reports itself
  if (const auto& pid_file = parts_.attempt.instance.paths().pid_file; pid_file && named != 0) {
    handoff::insist([&] { handoff::discard_temporaries_beside(*pid_file, named); });
  }
  attempt->progress().tell_result(*parts_.generation.last_upgrade);
  if (parts_.attempt.supervision.is_gone()) return parts_.supervisor_gone();
  RememberedSignals signals = std::move(attempt->signals());
  signals.forget(SIGUSR1);  // already obeyed on arrival
  if (attempt->has_dropped_reload()) signals.remember(SIGHUP);
  attempt.reset();
  for (const int signal : signals.to_obey()) parts_.obey(signal);
}

// Returns the line for the log.
std::string Upgrades::note_failure(UpgradeAttempt& attempt, const handoff::HandoverOutcome& outcome, pid_t child) {
  const std::string why = explain_failure(outcome.reason, child);
  const bool is_rolled_back = outcome.had_begun_to_move;
  // A process of ours has logged the lines of its reason; an external successor has a log of its own.
  const std::string logged = child != 0 ? explain_failure(without_lines(outcome.reason), child) : why;
  std::string line = fmt::format("upgrade: {}: {}; this process continues; {}",
                                 is_rolled_back ? "rolled back" : "failed", logged, report_line(outcome.report));
  attempt.note_failure(why);
  attempt.progress().reach("failed");
  parts_.generation.note_upgrade(attempt.recorded(is_rolled_back ? "rolled_back" : "failed", why, outcome.report));
  count_failed(*parts_.generation.last_upgrade, true);
  return line;
}

std::string Upgrades::explain_failure(const std::string& reason, pid_t child) {
  parts_.children.reap();
  const std::optional<int> status = parts_.children.status_of(child);
  if (!status) return reason;
  const char* joint = reason.find('\n') == std::string::npos ? "; the successor " : "\nthe successor ";
  return reason + joint + handoff::describe_exit(*status);
}

}  // namespace baton::proxy
