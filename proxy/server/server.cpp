#include "proxy/server/server.hpp"

#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <utility>

#include "handoff/executable.hpp"
#include "handoff/temporary.hpp"
#include "proxy/process/paths.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::proxy {

namespace log = runtime::log;

Server::Server(LaunchOptions options)
    : context_(1),
      main_(context_),
      background_(context_),
      generation_{.version = std::move(options.version),
                  .arguments = std::move(options.arguments),
                  .configuration_text = std::move(options.configuration_text),
                  .provenance = options.provenance,
                  .executable = handoff::own_executable(),
                  .previous = {},
                  .keeper = options.keeper ? options.keeper->pid() : 0,
                  .last_upgrade = {}},
      data_path_(std::move(options.prepared.settings), background_),
      manager_(context_, std::move(options.notifier), options.supervisor != nullptr),
      supervision_(context_, std::move(options.supervisor), std::move(options.keeper),
                   {.role = role_,
                    .data_path = data_path_,
                    .describe = [this] { return self_.announcement(); },
                    .lock = [this] { return instance_.lock_descriptor(); }}),
      instance_(
          context_,
          {.paths = process::resolve_paths(data_path_.config()),
           .listeners = std::move(options.prepared.listeners),
           .admin = std::move(options.prepared.admin),
           .passed = std::move(options.passed),
           .named = supervision_.lasting_pid()},
          [this] { return commands_.source(); },
          [this](ExternalSuccessor successor) {
            settle_succession();
            upgrades_.taken_over_by(std::move(successor));
          }),
      self_(generation_, instance_, data_path_),
      children_(context_),
      signals_(context_, role_, supervision_, [this](int signal) { on_signal(signal); }),
      certificates_(context_, {.role = role_, .data_path = data_path_, .background = background_}),
      health_(context_, {.main = main_, .role = role_, .data_path = data_path_}),
      names_(context_,
             {.role = role_, .data_path = data_path_, .supervision = supervision_, .background = background_}),
      reloads_(context_,
               {.role = role_,
                .data_path = data_path_,
                .instance = instance_,
                .generation = generation_,
                .manager = manager_,
                .supervision = supervision_,
                .certificates = certificates_,
                .names = names_,
                .health = health_,
                .background = background_},
               std::move(options.load)),
      ending_(context_, {.role = role_,
                         .data_path = data_path_,
                         .instance = instance_,
                         .manager = manager_,
                         .supervision = supervision_,
                         .children = children_,
                         .drop_reload = [this](const std::string& why) { reloads_.drop(why); },
                         .exit = [this](int code) { exit_with(code); }}),
      upgrades_(context_, {.attempt = {.main = main_,
                                       .role = role_,
                                       .data_path = data_path_,
                                       .instance = instance_,
                                       .generation = generation_,
                                       .self = self_,
                                       .manager = manager_,
                                       .supervision = supervision_},
                           .generation = generation_,
                           .children = children_,
                           .reloads = reloads_,
                           .ending = ending_,
                           .obey = [this](int signal) { signals_.obey(signal); },
                           .supervisor_gone = [this] { supervisor_gone(); }}),
      status_({.main = main_,
               .role = role_,
               .generation = generation_,
               .data_path = data_path_,
               .instance = instance_,
               .reloads = reloads_,
               .supervision = supervision_}),
      history_(context_, {.role = role_,
                          .generation = generation_,
                          .data_path = data_path_,
                          .instance = instance_,
                          .supervision = supervision_}),
      commands_({.role = role_,
                 .generation = generation_,
                 .data_path = data_path_,
                 .supervision = supervision_,
                 .reloads = reloads_,
                 .upgrades = upgrades_,
                 .status = status_,
                 .on_signal = [this](int signal) { on_signal(signal); },
                 .settle = [this] { settle_succession(); }}) {
  if (supervision_.keeper() == nullptr) return;
  data_path_.shared().roster = &supervision_.keeper()->roster();
  children_.add(generation_.keeper);
}

// ── Start and end ─────────────────────────────────────────────────────────────────────────────────────────────────

int Server::run() {
  instance_.acquire();
  data_path_.complete_names({});
  data_path_.start(1);
  instance_.open_admin();
  if (auto opened = instance_.open_meeting_point(); !opened) throw std::runtime_error(opened.error().text);
  role_.become_instance();
  instance_.events().begin_turn();
  supervision_.announce();
  try {
    begin_to_serve();
  } catch (...) {
    supervision_.leave();  // a process that cannot start must not be replaced
    throw;
  }
  return loop();
}

void Server::begin_to_serve() {
  if (auto published = instance_.publish_pid(); !published) throw std::runtime_error(published.error().text);
  data_path_.accept_on(instance_.sockets());
  const std::string serving = self_.serving();
  log::info("{}", serving);
  manager_.serving(data_path_.workers(), serving);
  watch();
  certificates_.remind_daily(false);
}

int Server::run_as_successor(handoff::UniqueFd& channel, bool speaks_first) {
  watch();
  certificates_.remind_daily(true);
  succession_ = std::make_unique<Succession>(Succession::Parts{.main = main_,
                                                               .role = role_,
                                                               .data_path = data_path_,
                                                               .instance = instance_,
                                                               .generation = generation_,
                                                               .self = self_,
                                                               .manager = manager_,
                                                               .supervision = supervision_},
                                             speaks_first);
  role_.succeed();
  succession_->begin(channel, [this](const handoff::SuccessionOutcome& outcome) {
    if (succession_) succession_ended(outcome);
  });
  return loop();
}

void Server::watch() {
  signals_.read();
  supervision_.watch([this] { signals_.hear(); }, [this] { supervisor_gone(); });
  certificates_.watch();
  names_.watch();
  health_.watch();
  history_.watch();
}

// An exception from a handler (no memory, no thread, no descriptor) ends only what that handler was doing. It must
// never end the process, and every connection with it.
void Server::run_events() {
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception& error) {
      log::error("{}; this process continues", handoff::describe(error));
    }
  }
}

int Server::loop() {
  run_events();
  if (role_.is_instance()) {
    instance_.withdraw();
    supervision_.leave();
  }
  supervision_.end();
  children_.kill_left_ones();
  log::info("ended");
  if (role_.is_conversing()) {
    // Stopped in the middle of a handover: the other side is prepared for our exit.
    log::stop();
    ::_exit(exit_code_);
  }
  instance_.close_admin();
  health_.end();
  data_path_.end();
  if (background_.is_busy()) {
    // A pending name lookup must not delay the exit, and its thread may still use what an orderly exit destroys.
    log::stop();
    ::_exit(exit_code_);
  }
  return exit_code_;
}

void Server::exit_with(int code) {
  exit_code_ = code;
  context_.stop();
}

// ── Signals ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Server::on_signal(int signal) {
  if (signal == SIGCHLD) {
    children_.reap();
    return look_after_keeper();
  }
  if (succession_) return on_signal_in_succession(signal);
  if (UpgradeAttempt* attempt = upgrades_.current()) return on_signal_in_upgrade(signal, *attempt);
  switch (signal) {
    case SIGUSR2:
      if (const auto why_not = upgrades_.begin()) log::warning("upgrade: SIGUSR2 refused: {}", *why_not);
      return;
    case SIGUSR1:
      return data_path_.reopen_logs({});
    case SIGHUP:
      return reloads_.begin();  // the log reports the result
    case SIGTERM:
    case SIGINT:
      if (!role_.is_told_to_stop()) {
        role_.tell_to_stop();
        return ending_.stop_within_limit(signal == SIGTERM ? "SIGTERM" : "SIGINT");
      }
      log::info("second signal: stopping at once");
      return exit_with(0);
    case SIGQUIT:
      if (!role_.is_stopping()) ending_.stop("SIGQUIT", std::nullopt);
      return;
    default:
      return;
  }
}

// The supervisor must not wait for a keeper that is not there.
void Server::look_after_keeper() {
  if (generation_.keeper == 0 || !children_.status_of(generation_.keeper)) return;
  log::warning("the keeper has ended: a crash will end all connections until the next upgrade");
  generation_.keeper = 0;
  supervision_.keeper()->note_gone();
  supervision_.announce();
}

// Until it is settled which process serves, a successor obeys no signal: a stop may have been sent to the whole process
// group, and the predecessor passes it on as well. A successor that owns nothing yet simply exits.
void Server::on_signal_in_succession(int signal) {
  const bool is_stop = signal == SIGTERM || signal == SIGINT || signal == SIGQUIT;
  if (is_stop && !data_path_.has_started()) return exit_with(1);
  if (is_stop && (succession_->is_external() || succession_->is_canary())) {
    succession_->cancel("told to stop by a signal");
  }
  if (signal == SIGUSR1 && succession_->is_canary()) return data_path_.reopen_logs({});
  succession_->signals().remember(signal);
}

void Server::on_signal_in_upgrade(int signal, UpgradeAttempt& attempt) {
  switch (signal) {
    case SIGUSR2:
      if (const auto why_not = upgrades_.begin()) log::warning("upgrade: SIGUSR2 refused: {}", *why_not);
      return;
    case SIGUSR1:
      data_path_.reopen_logs({});
      return attempt.note_logs_reopened();
    case SIGQUIT:
      attempt.signals().remember(signal);
      if (attempt.is_undecided_canary()) attempt.call_off("told to stop by a signal");
      return;
    case SIGHUP:
      return attempt.signals().remember(signal);
    case SIGTERM:
    case SIGINT:
      if (role_.is_told_to_stop()) return end_at_once_in_upgrade(attempt);
      role_.tell_to_stop();
      // Before anything is adopted this cancels the upgrade; later the successor stops instead of us.
      attempt.signals().remember(signal);
      return attempt.call_off("told to stop by a signal");
    default:
      return;
  }
}

void Server::end_at_once_in_upgrade(UpgradeAttempt& attempt) {
  log::info("second signal: stopping at once");
  const pid_t child = attempt.child();
  if (child == 0) {
    role_.resign();  // an external successor lives on and may need the paths of the instance
    return exit_with(0);
  }
  children_.kill(child);
  if (const auto& pid_file = instance_.paths().pid_file) handoff::discard_temporaries_beside(*pid_file, child);
  // No other process is left to remove the paths of the instance.
  if (role_.has_resigned() && instance_.take_back_within(data_path_.handoff().step_timeout)) attempt.reclaim();
  exit_with(0);
}

// Without a supervisor nothing would restart this process, and the next start would find the lock taken.
void Server::supervisor_gone() {
  if (succession_ && !data_path_.has_started()) return exit_with(1);
  if (succession_ && succession_->is_external()) succession_->cancel("the supervisor is gone");
  // During an upgrade both processes have seen it: the one that is the instance afterwards stops.
  if (UpgradeAttempt* attempt = upgrades_.current(); attempt != nullptr && attempt->is_undecided_canary()) {
    attempt->call_off("the supervisor is gone");
  }
  if (role_.is_conversing() || role_.is_stopping()) return;
  log::error("the supervisor, PID {}, is gone", supervision_.lasting_pid());
  ending_.stop("the supervisor is gone", data_path_.config().timeouts.shutdown);
}

// ── The end of a succession ───────────────────────────────────────────────────────────────────────────────────────

void Server::settle_succession() {
  if (!succession_ || !role_.is_instance()) return;
  succession_->await_end();
  succession_ended({.ending = handoff::Succession::completed, .reason = {}});
}

void Server::succession_ended(const handoff::SuccessionOutcome& outcome) {
  std::unique_ptr<Succession> succession = std::move(succession_);
  if (outcome.ending != handoff::Succession::completed) {
    if (outcome.ending != handoff::Succession::failed) data_path_.stop_accepting();
    if (outcome.ending == handoff::Succession::orphaned && !role_.is_instance() && instance_.has_lock()) {
      succession->become_instance();
      succession->note_orphaned(outcome.reason);
      log::warning("the predecessor is gone ({}); this process is the instance now, generation {}", outcome.reason,
                   data_path_.generation());
    }
  }
  role_.end_succession();
  if (!role_.is_instance()) return leave_to_predecessor(outcome, succession->is_cancelled());
  if (outcome.ending != handoff::Succession::completed) {
    data_path_.accept_on(instance_.sockets());
    succession->tell_that_we_serve();
  }
  RememberedSignals signals = std::move(succession->signals());
  if (supervision_.is_gone()) signals.remember(SIGTERM);
  succession.reset();
  for (const int signal : signals.to_obey()) signals_.obey(signal);
}

void Server::leave_to_predecessor(const handoff::SuccessionOutcome& outcome, bool is_cancelled) {
  const int exit_code = is_cancelled ? 0 : 1;  // a cancelled successor did as it was told
  instance_.unlink_bound_here();
  if (outcome.ending == handoff::Succession::failed) {
    log::error("cannot succeed: {}", outcome.reason);
    return exit_with(exit_code);
  }
  supervision_.leave_unserved();
  const std::uint64_t here = data_path_.connections();
  ending_.serve_what_stays(exit_code);
  log::error("the predecessor {} ({}); {} connections are served here to their end",
             outcome.ending == handoff::Succession::returned ? "has everything back" : "took the service back",
             outcome.reason, here);
}

}  // namespace baton::proxy
