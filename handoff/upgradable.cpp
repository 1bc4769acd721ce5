#include "handoff/upgradable.hpp"

#include <linux/close_range.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "handoff/insist.hpp"
#include "handoff/start.hpp"
#include "handoff/survival.hpp"
#include "handoff/temporary.hpp"
#include "handoff/upgradable_roles.hpp"
#include "handoff/upgradable_signals.hpp"

namespace baton::handoff {

namespace {

using Clock = std::chrono::steady_clock;

// How often connections and children are polled for their end.
constexpr long look_every_ns = 50'000'000;
// How long a successor that owns nothing gets to exit by itself: its exit code says more than our SIGKILL.
constexpr std::chrono::milliseconds last_words{100};

UniqueFd checked(int descriptor, const char* what) {
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), what);
  return UniqueFd(descriptor);
}

void watch(const UniqueFd& poller, const UniqueFd& watched) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(poller.get(), EPOLL_CTL_ADD, watched.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

template <class T>
T or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}

std::string in_words(const Report& report) {
  std::uint64_t refused = 0;
  for (const auto& [reason, number] : report.refused) refused += number;
  return "generation " + std::to_string(report.from.generation) + " to " + std::to_string(report.to.generation) +
         ", PID " + std::to_string(report.from.pid) + " to " + std::to_string(report.to.pid) + ", version " +
         report.from.version + " to " + report.to.version + ", " + std::to_string(report.duration_us / 1000) +
         " ms; moved=" + std::to_string(report.moved_total()) + ", taken_back=" + std::to_string(report.taken_back) +
         ", refused=" + std::to_string(refused) + "; longest pause " + std::to_string(report.pauses.max_us) + " us";
}

}  // namespace

Upgradable::Upgradable(UpgradableTerms terms) : terms_(std::move(terms)) {
  own_signals();
  const sigset_t signals = obeyed_signals();
  poller_ = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll");
  posted_ = checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  signals_ = checked(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
  ticks_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd");
  watch(poller_, posted_);
  watch(poller_, ticks_);
  if (terms_.survive_crashes) begin_to_survive();
  UniqueFd channel = take_channel();
  is_successor_ = static_cast<bool>(channel);
  if (is_successor_) {
    begin_succession(std::move(channel));
  } else {
    become_first();
  }
}

Upgradable::~Upgradable() {
  refuse("the successor ended before it was ready");
  fleet_.keep_in(nullptr);
  survival_.reset();
  if (lock_.held()) pid_file_.withdraw();
}

// ── Before it serves ──────────────────────────────────────────────────────────────────────────────────────────────

void Upgradable::become_first() {
  lock_ = or_throw(terms_.lock.empty() ? InstanceLock::on_memory() : InstanceLock::on_file(terms_.lock));
  if (!lock_.try_take()) {
    throw std::runtime_error("another process holds the lock " + terms_.lock + "; send it SIGUSR2 to upgrade it");
  }
  if (!terms_.pid_file.empty()) pid_file_ = or_throw(PidFile::prepare(terms_.pid_file, ::getpid()));
}

void Upgradable::begin_succession(UniqueFd channel) {
  roles_ = std::make_unique<Roles>(*this);
  conversation_.emplace(
      [this, channel = std::move(channel)]() mutable {
        auto outcome = succeed(std::move(channel), *roles_, {.version = terms_.version, .features = terms_.features});
        roles_->no_inheritance(outcome.reason);
        if (outcome.ending == Succession::orphaned) {
          // The process that gets the lock is the instance; accept nothing until then.
          insist([this] { roles_->in_server([this] { service_->stop_accepting(); }); });
          if (!lock_.held()) (void)roles_->take_lock();
        }
        return outcome;
      },
      by_post(), [this](const SuccessionOutcome& outcome) { succession_ended(outcome); });
  try {
    auto inheritance = or_throw(roles_->await_inheritance());
    generation_ = inheritance.generation + 1;
    if (survival_) survival_->kept().control().before = CrashesInARow::from(inheritance.application);
    UniqueFd lock;
    for (auto& socket : inheritance.sockets) {
      if (socket.name == "@lock") lock = std::move(socket.descriptor);
      if (socket.name.starts_with('@')) continue;
      inherited_.push_back({std::move(socket.name), std::move(socket.descriptor)});
    }
    lock_ = or_throw(!terms_.lock.empty() ? InstanceLock::on_file(terms_.lock)
                                          : lock ? InstanceLock::reopened(std::move(lock)) : InstanceLock::on_memory());
    lock_.be_heir(inheritance.heir);
    if (!terms_.pid_file.empty()) pid_file_ = or_throw(PidFile::prepare(terms_.pid_file, ::getpid()));
  } catch (const std::exception& error) {
    refuse(describe(error));
    throw;
  }
}

int Upgradable::listener(const std::string& name, const std::function<UniqueFd()>& make) {
  const auto found = std::ranges::find(inherited_, name, &Listener::name);
  if (found == inherited_.end()) {
    listeners_.push_back({name, make()});
  } else {
    listeners_.push_back(std::move(*found));
    inherited_.erase(found);
  }
  if (state_ == State::serving) remember();
  return listeners_.back().socket.get();
}

void Upgradable::refuse(const std::string& why) {
  if (state_ != State::preparing || !conversation_) return;
  state_ = State::ended;
  exit_code_ = 1;
  roles_->answer_ready(fail(Fault::refused, why));
  conversation_.reset();
}

void Upgradable::serve(Service& service) {
  service_ = &service;
  if (!is_successor_) {
    publish_pid();
    service.accept();
    return serve_from_now_on();
  }
  state_ = State::succeeding;
  inherited_.clear();
  std::vector<std::string> names;
  for (const Listener& listener : listeners_) names.push_back(listener.name);
  roles_->answer_ready(std::move(names));
}

void Upgradable::succession_ended(const SuccessionOutcome& outcome) {
  conversation_.reset();
  if (outcome.ending == Succession::failed) {
    say("cannot succeed: " + outcome.reason);
    return end(1);
  }
  if (outcome.ending == Succession::completed) {
    say("serving: version " + terms_.version + ", generation " + std::to_string(generation_) + ", " +
        std::to_string(fleet_.size()) + " connections");
    return serve_from_now_on();
  }
  if (!lock_.held()) {
    say("the predecessor took the service back (" + outcome.reason + ")");
    exit_code_ = 1;
    return drain(terms_.drain_timeout);
  }
  say("the predecessor is gone (" + outcome.reason + "); this process serves now");
  publish_pid();
  service_->accept();
  serve_from_now_on();
}

// ── While it serves ───────────────────────────────────────────────────────────────────────────────────────────────

// Until now signals stayed pending: a successor obeys none before it is settled which process serves.
void Upgradable::serve_from_now_on() {
  enter(State::serving);
  watch(poller_, signals_);
}

void Upgradable::attend() {
  eventfd_t count = 0;
  (void)::eventfd_read(posted_.get(), &count);
  for (;;) {
    std::function<void()> task;
    {
      auto tasks = tasks_.lock();
      if (tasks->empty()) break;
      task = std::move(tasks->front());
      tasks->pop_front();
    }
    task();
  }
  obey_signals();
  tick();
  if (survival_ && survival_->is_keeper_dead()) survive_no_more();
}

void Upgradable::attend_to_the_end() {
  while (!has_ended()) {
    pollfd polled{descriptor(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    attend();
  }
}

void Upgradable::post(std::function<void()> task) {
  tasks_.lock()->push_back(std::move(task));
  (void)::eventfd_write(posted_.get(), 1);
}

void Upgradable::obey_signals() {
  if (state_ == State::preparing || state_ == State::succeeding) return;
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    obey(static_cast<int>(info.ssi_signo));
  }
}

void Upgradable::obey(int signal) {
  const bool is_stop = signal != SIGUSR2;
  switch (state_) {
    case State::serving:
      if (!is_stop) {
        // Running out of a resource fails only this attempt.
        enter(State::upgrading);
        const auto tried = as_result([this]() -> Result<void> { return begin_upgrade(), Result<void>(); });
        if (!tried) say("upgrade: failed: " + tried.error().text + "; this process continues");
        if (!attempt_) enter(State::serving);
        return;
      }
      say("stopping");
      service_->stop_accepting();
      return drain(terms_.stop_timeout);
    case State::upgrading:
      if (!is_stop) return say("upgrade: SIGUSR2 refused: one is in progress");
      // The first one calls the upgrade off if nothing has been adopted; after that it is passed to the successor.
      if (!attempt_->stop_signals.empty()) ::kill(attempt_->successor, SIGKILL);
      attempt_->stop_signals.push_back(signal);
      return roles_->call_off();
    case State::draining:
      if (is_stop) end(exit_code_);
      return;
    case State::preparing:
    case State::succeeding:
    case State::ended:
      return;
  }
}

void Upgradable::upgrade() { obey(SIGUSR2); }
void Upgradable::stop() { obey(SIGTERM); }

void Upgradable::begin_upgrade() {
  if (!terms_.lock.empty() && !lock_.is_at(terms_.lock)) {
    // Another process could take the lock in the middle of the upgrade.
    return say("upgrade: failed: the lock " + terms_.lock + " has been removed; this process continues");
  }
  // Not all code sets close-on-exec (Asio does not): only the channel and the standard streams may survive exec.
  ::close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  auto started = start_successor({.arguments = terms_.arguments, .configuration = {}, .descriptors = {}});
  if (!started) return say("upgrade: failed: " + started.error().text + "; this process continues");
  say("upgrade begins: started " + terms_.arguments[0] + " as PID " + std::to_string(started->pid));
  if (auto begun = converse(*started); !begun) {
    ::kill(started->pid, SIGKILL);
    leave_to_its_end({started->pid, false, Clock::now()});
    say("upgrade: failed: " + begun.error().text + "; this process continues");
  }
}

// After an error nothing is left of the attempt but the child.
Result<void> Upgradable::converse(Started& started) {
  return as_result([&]() -> Result<void> {
    roles_ = std::make_unique<Roles>(*this);
    conversation_.emplace(
        [this, channel = std::move(started.channel)]() mutable {
          return hand_over(std::move(channel), *roles_,
                           {.self = {generation_, ::getpid(), terms_.version},
                            .features = terms_.features,
                            .ready_timeout = terms_.ready_timeout,
                            .step_timeout = terms_.step_timeout});
        },
        by_post(), [this](const HandoverOutcome& outcome) { upgrade_ended(outcome); });
    attempt_.emplace(Attempt{started.pid, {}});
    return {};
  });
}

void Upgradable::leave_to_its_end(Leftover leftover) {
  leftovers_.push_back(leftover);
  tick_every_ns(look_every_ns);
}

void Upgradable::upgrade_ended(const HandoverOutcome& outcome) {
  conversation_.reset();
  const auto [successor, signals] = *std::exchange(attempt_, std::nullopt);
  if (outcome.ending != Ending::rolled_back) {
    say("upgrade: " + in_words(outcome.report));
    for (const int signal : signals) ::kill(successor, signal);
    return drain(terms_.drain_timeout);
  }
  say("upgrade: " + std::string(outcome.had_begun_to_move ? "rolled back: " : "failed: ") + outcome.reason +
      "; this process continues; " + in_words(outcome.report));
  // A successor that has adopted connections serves them and then exits by itself; if it hangs, it is killed once that
  // time is up.
  const auto patience = outcome.successor_serves ? terms_.drain_timeout + 2 * terms_.step_timeout : last_words;
  leave_to_its_end({successor, outcome.successor_serves, Clock::now() + patience});
  if (!terms_.pid_file.empty()) discard_temporaries_beside(terms_.pid_file, successor);
  enter(State::serving);
  for (const int signal : signals) obey(signal);
}

// ── Its end ───────────────────────────────────────────────────────────────────────────────────────────────────────

void Upgradable::drain(std::chrono::milliseconds limit) {
  enter(State::draining);
  drain_deadline_ = Clock::now() + limit;
  listeners_.clear();
  service_->stop();
  if (fleet_.size() == 0 && leftovers_.empty()) return end(exit_code_);
  say(std::to_string(fleet_.size()) + " connections are served here to their end, at most " +
      std::to_string(limit.count()) + " ms");
  tick_every_ns(look_every_ns);
}

void Upgradable::end(int exit_code) {
  enter(State::ended);
  exit_code_ = exit_code;
  for (const Leftover& leftover : leftovers_) {
    if (!leftover.owns_connections) ::kill(leftover.pid, SIGKILL);
  }
}

void Upgradable::tick_every_ns(long period) {
  const itimerspec every{.it_interval = {0, period}, .it_value = {0, period}};
  ::timerfd_settime(ticks_.get(), 0, &every, nullptr);
}

void Upgradable::tick() {
  std::uint64_t ticks = 0;
  if (::read(ticks_.get(), &ticks, sizeof ticks) < 0) return;
  std::erase_if(leftovers_, [this](const Leftover& leftover) {
    int status = 0;
    if (::waitpid(leftover.pid, &status, WNOHANG) == 0) {
      if (Clock::now() >= leftover.deadline) ::kill(leftover.pid, SIGKILL);
      return false;
    }
    say("the successor that failed, PID " + std::to_string(leftover.pid) + ", " + describe_exit(status));
    return true;
  });
  const bool is_empty = fleet_.size() == 0 && leftovers_.empty();
  if (state_ == State::draining && (is_empty || Clock::now() >= drain_deadline_)) {
    if (fleet_.size() != 0) say("time is over: " + std::to_string(fleet_.size()) + " connections are cut");
    end(exit_code_);
  }
  if (leftovers_.empty() && state_ != State::draining) tick_every_ns(0);
}

void Upgradable::publish_pid() {
  if (auto published = pid_file_.publish(); !published) say(published.error().text);
}

void Upgradable::say(const std::string& line) const {
  handoff::say(terms_, line);
}

}  // namespace baton::handoff
