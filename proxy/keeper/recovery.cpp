#include "proxy/keeper/recovery.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>

#include "handoff/after_death.hpp"
#include "handoff/insist.hpp"
#include "handoff/predecessor.hpp"
#include "handoff/successor.hpp"
#include "handoff/supervision.hpp"
#include "proxy/keeper/survivors.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/supervisor/replacement.hpp"

namespace baton::keeper {

namespace log = runtime::log;

namespace {

constexpr std::uint64_t crashes_with_all = 2;   // in a row, after which only idle connections go on
constexpr std::uint64_t crashes_with_idle = 3;  // and after which none does: an exchange may be what kills us
constexpr int successors_max = 8;
constexpr int failures_max = 2;                        // of those to which nothing has been offered
constexpr std::chrono::milliseconds patience{10'000};  // with a predecessor, for each answer

Survive what_survives(const Control& control, const state::Crashes& before, std::int64_t now_us) {
  const std::uint64_t in_a_row = before.in_a_row_at(now_us);
  if (in_a_row <= crashes_with_all) return control.survive;
  if (in_a_row <= crashes_with_idle)
    return control.survive == Survive::all ? Survive::idle_ones : control.survive.load();
  return Survive::none;
}

// Memory may be short: perhaps the worker died of that. Each step that cannot be repeated is retried until it succeeds.
using handoff::insist;

std::string how_it_died(const state::Crash& crash) {
  return crash.signal != 0 ? fmt::format("died of signal {}", crash.signal) : "was killed";
}

void log_running(const state::Crash& crash, const std::string& died) {
  for (const std::string& running : crash.running) log::error("PID {} {} while it ran {}", crash.pid, died, running);
}

void log_result(const state::Crash& crash) {
  log::info("PID {} crashed: {} connections go on, {} were lost", crash.pid, crash.whole, crash.lost);
}

// What another process may share is only closed.
void end_the_rest(Survivors& survivors, bool may_be_shared) {
  insist([&] { survivors.give_up(); });
  if (!may_be_shared) return insist([] { handoff::reset_all_that_is_connected(); });
  for (const int one : survivors.ending()) handoff::end_by_reset(one);
}

enum class Heir { serves, is_gone, has_lock };

// The worker died in an upgrade, and its successor may have some of the connections.
Heir go_on_with_its_successor(Survivors& survivors, const handoff::PredecessorTerms& terms, const Control& control) {
  const handoff::HandoverOutcome outcome =
      handoff::resume_handover(handoff::UniqueFd(control.spare), control.channel, survivors, terms);
  if (outcome.ending == handoff::Ending::completed) return Heir::serves;
  if (outcome.ending == handoff::Ending::superseded || !survivors.take_lock()) return Heir::has_lock;
  log::error("its successor does not go on: {}", outcome.reason);
  ::shutdown(control.channel, SHUT_RDWR);  // one of an older version has not looked into the spare
  // What it had taken, it may have changed.
  (void)survivors.may_try_again();
  survivors.drop_those_in_transit(true);
  return Heir::is_gone;
}

// It is the last thing that the parent hears.
template <class Tell>
void tell_parent(const Origin& origin, Tell tell) {
  handoff::Channel line{handoff::UniqueFd(origin.line)};
  (void)handoff::as_result([&] { return tell(line, handoff::Clock::now() + patience); });
}

bool start_another(Survivors& survivors, const Testament& testament, const handoff::PredecessorTerms& terms,
                   const Origin& origin) {
  for (int successor = 0; successor < successors_max; ++successor) {
    auto started =
        handoff::as_result([&] { return supervisor::start_again(testament.estate(), origin.arguments, origin.door); });
    if (!started) {
      log::error("no successor starts: {}", started.error().text);
      if (successor >= failures_max) return false;
      continue;
    }
    const handoff::HandoverOutcome outcome =
        handoff::hand_over(std::move(started->channel), survivors, terms, &survivors);
    if (outcome.ending != handoff::Ending::rolled_back) return true;
    log::error("the successor, PID {}, failed: {}", started->pid, outcome.reason);
    // If it lives and has adopted some, it becomes the instance when this process ends. If it has only accepted, it is
    // killed: more connections are still here.
    const bool has_some = outcome.successor_serves && survivors.crash().whole != 0;
    if (has_some && ::waitpid(started->pid, nullptr, WNOHANG) == 0) return false;
    ::kill(started->pid, SIGKILL);
    if (!survivors.may_try_again() && successor >= failures_max) return false;
  }
  return false;
}

// True: a process serves.
bool hand_over(Survivors& survivors, const Testament& testament, const Control& control, const Origin& origin) {
  const handoff::PredecessorTerms terms = insist([&] { return testament.terms(); });
  if (control.is_upgrading()) {
    log::warning("PID {} died during an upgrade", survivors.crash().pid);
    const Heir heir = go_on_with_its_successor(survivors, terms, control);
    if (heir != Heir::is_gone && control.partner == Partner::foreigner) {
      // The parent does not know it, and must not replace it.
      tell_parent(origin, [](handoff::Channel& line, handoff::Deadline deadline) {
        return handoff::tell_succession(line, {.pid = 0, .foreign = true}, deadline);
      });
    }
    if (heir != Heir::is_gone) return true;
  } else if (!survivors.take_lock()) {
    return true;  // its successor is the instance
  } else {
    // The other side of a conversation that was all but over would wait for its last word.
    if (control.channel >= 0) ::shutdown(control.channel, SHUT_RDWR);
    survivors.drop_those_in_transit(true);
  }
  return start_another(survivors, testament, terms, origin);
}

}  // namespace

bool hand_over_survivors(const Control& control, const Roster& roster, const Origin& origin) try {
  const Testament& testament = *control.testament.load();
  Survivors survivors(control, testament.pid());
  const state::Crash& crash = survivors.crash();
  const bool is_upgrading = control.is_upgrading();
  Survive survive = what_survives(control, survivors.record().crashes, crash.at_unix_us);
  // Some of the others may be the successor's already.
  if (is_upgrading && survive == Survive::idle_ones) survive = Survive::all;
  insist([&] { survivors.sort_out(roster, survive); });
  const bool may_be_shared = is_upgrading || survivors.may_be_shared();
  const std::string died = insist([&] { return how_it_died(crash); });
  log_running(crash, died);
  bool is_done = false;
  if (survive == Survive::none) {
    log::error("PID {} {}: no connection goes on, because {}", crash.pid, died,
               control.survive == Survive::none ? "handoff.survive is off" : "it is one crash of many in a row");
  } else {
    insist(handoff::close_epolls);
    is_done = hand_over(survivors, testament, control, origin);
  }
  end_the_rest(survivors, may_be_shared);
  log_result(survivors.crash());
  if (!is_done) {
    tell_parent(origin, [&](handoff::Channel& line, handoff::Deadline deadline) {
      return handoff::tell_no_heir(line, survivors.counted(), deadline);
    });
  }
  return is_done;
} catch (const std::exception& error) {
  log::error("no connection goes on: {}", error.what());
  if (!control.is_upgrading()) {
    (void)handoff::as_result([]() -> handoff::Result<void> {
      handoff::reset_all_that_is_connected();
      return {};
    });
  }
  return false;
}

bool give_back_survivors(const Control& control, const Roster& roster, pid_t worker) try {
  Survivors survivors(control, worker);
  const state::Crash& crash = survivors.crash();
  survivors.release_lock();  // its predecessor may be waiting for it
  insist([&] { survivors.sort_out(roster, Survive::all); });
  if (control.spare < 0 || control.survive == Survive::none || survivors.is_empty()) {
    survivors.drop_those_in_transit(false);
    end_the_rest(survivors, true);
    return false;
  }
  const std::string died = insist([&] { return fmt::format("PID {} {}", crash.pid, how_it_died(crash)); });
  log_running(crash, insist([&] { return how_it_died(crash); }));
  insist(handoff::close_epolls);
  const auto given =
      handoff::give_back_for(handoff::UniqueFd(control.spare), control.channel, survivors, died, patience);
  if (!given) {
    log::error("its predecessor does not take back what it had: {}", given.error().text);
    survivors.drop_those_in_transit(false);  // they are the predecessor's, or its keeper's
  }
  end_the_rest(survivors, true);
  log_result(survivors.crash());
  return given.has_value();
} catch (const std::exception& error) {
  log::error("no connection goes on: {}", error.what());
  return false;
}

}  // namespace baton::keeper
