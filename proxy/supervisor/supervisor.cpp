#include "proxy/supervisor/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "handoff/insist.hpp"
#include "handoff/limits.hpp"
#include "handoff/result.hpp"
#include "handoff/supervision.hpp"
#include "proxy/process/signals.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/supervisor/terms.hpp"

namespace baton::supervisor {

namespace log = runtime::log;

namespace {

constexpr int first_passed_descriptor = 3;

constexpr int pause_after_failure_ms = 100;

// The kernel closes a worker's line before its other sockets, and an immediate restart needs their addresses. A
// descendant that is no part of Baton may live longer, so the wait is bounded.
void await_last_children() {
  constexpr std::chrono::seconds patience{1};
  constexpr int look_again_ms = 5;
  const auto until = std::chrono::steady_clock::now() + patience;
  siginfo_t dead{};
  while (::waitid(P_ALL, 0, &dead, WEXITED | WNOHANG) == 0) {
    if (dead.si_pid == 0 && std::chrono::steady_clock::now() >= until) return;
    if (std::exchange(dead.si_pid, 0) == 0) ::poll(nullptr, 0, look_again_ms);
  }
}

bool is_stop(int signal) { return signal == SIGTERM || signal == SIGINT || signal == SIGQUIT; }

// A supervisor holds as many listening sockets as its workers.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void log_version_as(const std::string& what) { log::info("supervisor: {}, PID {}", what, ::getpid()); }

}  // namespace

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

PassedOn take_what_is_passed_on() {
  const char* meant_for = std::getenv("LISTEN_PID");
  const char* count_text = std::getenv("LISTEN_FDS");
  if (meant_for == nullptr || count_text == nullptr || std::to_string(::getpid()) != meant_for) return {};
  const long count = std::clamp(std::strtol(count_text, nullptr, 10), 0L, static_cast<long>(handoff::limits::sockets_inherited_max));
  PassedOn passed{.descriptors = {}, .environment = {std::string("LISTEN_PID=") + meant_for, "LISTEN_FDS=" + std::to_string(count)}};
  if (const char* names = std::getenv("LISTEN_FDNAMES")) passed.environment.push_back(std::string("LISTEN_FDNAMES=") + names);
  for (int number = first_passed_descriptor; number < first_passed_descriptor + count; ++number) {
    if (::fcntl(number, F_SETFD, FD_CLOEXEC) == 0) passed.descriptors.push_back(number);
  }
  return passed;
}

Supervisor::Supervisor(std::vector<std::string> arguments)
    : arguments_(std::move(arguments)), signals_(process::signal_descriptor()), passed_on_(take_what_is_passed_on()) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  raise_descriptor_limit();
  state_.door = make_door();
  start_first();
}

Supervisor::Supervisor(std::vector<std::string> arguments, const std::string& state)
    : arguments_(std::move(arguments)), signals_(process::signal_descriptor()) {
  if (const auto wrong = what_is_wrong_with(state)) throw std::runtime_error("the state of the supervisor before: " + *wrong);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  state_ = decode_parent_state(state);
  log_version_as("this version continues");
  reap();                                    // children whose SIGCHLD the previous version got
}

void Supervisor::start_first() {
  std::vector<std::string> environment = log::environment();
  std::ranges::move(passed_on_.environment, std::back_inserter(environment));
  const auto pid = handoff::start({.arguments = arguments_,
                                   .configuration = {},
                                   .descriptors = {{handoff::supervisor_variable, state_.door.theirs.get()}},
                                   .kept = passed_on_.descriptors,
                                   .environment = std::move(environment),
                                   .own_group = true});
  for (const int passed : passed_on_.descriptors) ::close(passed);
  passed_on_ = {};
  if (!pid) throw std::runtime_error(pid.error().text);
  state_.instance = known(*pid).pid;
  state_.streak.service_begins(now_ms());
  log_version_as("started PID " + std::to_string(*pid));
}

int Supervisor::run() {
  while (!exit_code_ || !state_.workers.empty()) {
    try {
      watch_once();
    } catch (const std::exception& error) {
      // The whole service depends on this process. What fails now may succeed later.
      log::error("supervisor: {}; it continues", handoff::describe(error));
      ::poll(nullptr, 0, pause_after_failure_ms);
    }
  }
  replacement_.reset();
  await_last_children();
  return *exit_code_;
}

// ── Watching ──────────────────────────────────────────────────────────────────────────────────────────────────────

void Supervisor::watch_once() {
  std::vector<pollfd> polled{{signals_.get(), POLLIN, 0}, {state_.door.ours.get(), POLLIN, 0}};
  polled.push_back({replacement_ ? replacement_->over_descriptor() : -1, POLLIN, 0});
  std::vector<pid_t> lines;
  for (const Worker& worker : state_.workers) {
    if (!worker.line) continue;
    polled.push_back({worker.line->descriptor(), POLLIN, 0});
    lines.push_back(worker.pid);
  }
  auto until = Clock::time_point::max();
  if (replace_at_ && !replacement_) until = *replace_at_;
  if (dry_run_) until = std::min(until, dry_run_->deadline());
  if (kill_at_) until = std::min(until, *kill_at_);
  if (keeper_until_) until = std::min(until, *keeper_until_);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  ::poll(polled.data(), polled.size(), until == Clock::time_point::max() ? -1 : static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));

  if (polled[1].revents != 0) let_newcomers_in();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (polled[i + 3].revents != 0) read_line(lines[i]);
  }
  if (polled[0].revents != 0) read_signals();
  if (polled[2].revents != 0) replacement_over();
  if (dry_run_ && Clock::now() >= dry_run_->deadline()) ::kill(dry_run_->pid(), SIGKILL);
  if (kill_at_ && Clock::now() >= *kill_at_) {
    log::error("supervisor: told to stop twice; kills the workers that are left");
    const Worker* const instance = find(state_.instance);
    const bool has_keeper = instance != nullptr && instance->line && !instance->leaving && keeper() != 0;
    if (has_keeper) ::kill(keeper(), SIGKILL);  // first: it must not take this for a crash
    for (Worker& worker : state_.workers) {
      worker.leaving = true;
      send(worker, SIGKILL);
    }
    kill_at_.reset();
  }
  if (keeper_until_ && Clock::now() >= *keeper_until_) give_up_keeper();
  settle();
  renew_if_quiet();
}

void Supervisor::read_signals() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    on_signal(static_cast<int>(info.ssi_signo));
  }
}

void Supervisor::on_signal(int signal) {
  if (signal == SIGCHLD) return reap();
  if (is_stop(signal)) return stop(signal);
  if (!exit_code_) forward(signal);
}

// The signal may kill a program that has not arrived yet.
void Supervisor::forward(int signal) {
  const Worker* instance = find(state_.instance);
  if (instance != nullptr && (instance->line || instance->served)) {
    ::kill(instance->pid, signal);
  } else if (std::ranges::find(state_.signals, signal) == state_.signals.end()) {
    state_.signals.push_back(signal);
  }
}

void Supervisor::stop(int signal) {
  const bool is_told_again = signal != SIGQUIT && state_.is_stopping() && state_.stop_signal != SIGQUIT;
  if (is_told_again && !kill_at_) kill_at_ = Clock::now() + last_patience;
  if (signal != SIGQUIT || !state_.is_stopping()) state_.stop_signal = signal;
  if (state_.instance != 0) {
    ::kill(state_.instance, signal);
    return;
  }
  // No remaining worker may become the instance: each serves what it has to its end.
  if (exit_code_ || foreign_) {
    for (const Worker& worker : state_.workers) send(worker, signal);
    return;
  }
  if (replacement_) replacement_->call_off("told to stop by a signal");
  state_.signals.push_back(signal);          // for a candidate, if there is one
}

void Supervisor::reap() {
  let_newcomers_in();  // one may be dead already, with unread messages on its line
  siginfo_t dead{};
  while (::waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid != 0) {
    const pid_t pid = std::exchange(dead.si_pid, 0);
    read_line(pid);                          // its last messages; this may reap it
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) != pid) continue;
    if (dry_run_ && dry_run_->pid() == pid) {
      dry_run_ended(status);
    } else {
      worker_ended(pid, status);
    }
  }
  // Workers without a line that were never our children.
  std::vector<pid_t> gone;
  for (const Worker& worker : state_.workers) {
    if (!worker.line && ::kill(worker.pid, 0) != 0 && errno == ESRCH) gone.push_back(worker.pid);
  }
  for (const pid_t pid : gone) worker_ended(pid, std::nullopt);
}

// ── Ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void Supervisor::worker_ended(pid_t pid, std::optional<int> status) {
  const auto found = std::ranges::find(state_.workers, pid, &Worker::pid);
  if (found == state_.workers.end()) return;           // an orphan, or unknown
  if (pid == state_.instance && leave_to_keeper(*found, status)) return;
  if (pid != state_.instance && found->may_become_instance() && status && !found->crashed) {
    found->crashed = status;  // until its line ends, too
    return;
  }
  const Worker worker = std::move(*found);
  state_.workers.erase(found);
  if (worker.crashed && worker.served) {
    keeper_ended(worker);
    return;
  }
  if (pid != state_.instance) {
    if (!somebody_may_become_instance() && replace_at_) replace_at_ = replace_at_once_;
    return;
  }
  state_.instance = 0;
  instance_lost(worker, status);
}

void Supervisor::finish(int code) {
  if (!exit_code_) exit_code_ = code;
  // Those that only serve what they have to its end were not told.
  if (state_.is_stopping() && state_.stop_signal != SIGQUIT) {
    for (const Worker& worker : state_.workers) send(worker, state_.stop_signal);
  }
  replace_at_.reset();
}

// The PID of one that has crashed may be another process's by now.
void Supervisor::send(const Worker& worker, int signal) const {
  if (!worker.crashed) ::kill(worker.pid, signal);
}

Worker* Supervisor::find(pid_t pid) {
  const auto found = std::ranges::find(state_.workers, pid, &Worker::pid);
  return found == state_.workers.end() ? nullptr : &*found;
}

Worker& Supervisor::known(pid_t pid) {
  if (Worker* worker = find(pid)) return *worker;
  state_.workers.push_back({.pid = pid, .line = {}});
  return state_.workers.back();
}

// ── Becoming another version ──────────────────────────────────────────────────────────────────────────────────────

void Supervisor::consider_renewal() {
  const handoff::UniqueFd own(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const auto ours = identity_of(own.get());
  const auto theirs = identity_of(state_.heritage->executable.get());
  may_renew_ = false;
  if (dry_run_ || !ours || !theirs || *theirs == *ours || theirs == refused_) return;
  auto run = DryRun::begin(state_);
  if (!run) {
    refused_ = theirs;
    return log::warning("supervisor: stays as it is: {}", run.error().text);
  }
  dry_run_ = std::move(*run);
}

void Supervisor::dry_run_ended(int status) {
  const DryRun run = *std::exchange(dry_run_, std::nullopt);
  if (const auto objection = run.objection(status)) {
    refused_ = run.of();
    return log::warning("supervisor: stays as it is, with workers of baton {}: {}", state_.heritage->version,
                        *objection);
  }
  may_renew_ = run.of() == identity_of(state_.heritage->executable.get());
  if (!may_renew_) consider_renewal();       // another upgrade happened meanwhile
}

void Supervisor::renew_if_quiet() {
  if (!may_renew_ || state_.instance == 0 || replacement_ || exit_code_) return;
  for (const Worker& worker : state_.workers) {
    if (worker.crashed || (worker.line && !worker.line->is_between_frames())) return;
  }
  may_renew_ = false;
  log::info("supervisor: becomes baton {}", state_.heritage->version);
  log::stop();
  const handoff::Error error = become(state_, arguments_);
  log::start(log::Level::info);
  refused_ = identity_of(state_.heritage->executable.get());
  log::warning("supervisor: stays as it is: {}", error.text);
}

}  // namespace baton::supervisor
