// What a supervisor does when no worker is the instance.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "handoff/insist.hpp"
#include "handoff/instance.hpp"
#include "handoff/meeting_point.hpp"
#include "handoff/result.hpp"
#include "handoff/temporary.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/state/address.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/supervisor/supervisor.hpp"
#include "proxy/supervisor/terms.hpp"

namespace baton::supervisor {

namespace log = runtime::log;

namespace {

constexpr int exit_failed = 1;

bool ended_well(std::optional<int> status) { return status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0; }

// A killed process has failed; one that was not our child and ended cleanly has not.
int exit_code_of(std::optional<int> status) {
  if (!status) return 0;
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : exit_failed;
}

std::string in_words(std::optional<int> status) { return status ? handoff::describe_exit(*status) : "is gone"; }

}  // namespace

// No worker of ours serves, yet the lock is taken: an external successor holds it.
bool Supervisor::somebody_else_is_the_instance() const {
  if (!state_.heritage || somebody_may_become_instance()) return false;
  const auto record = state::decode_instance_record(state_.heritage->application);
  if (!record || record->handoff_socket.empty()) return false;
  auto lock = handoff::InstanceLock::on_file(record->handoff_socket + ".lock");
  return lock && !lock->try_take();
}

bool Supervisor::somebody_may_become_instance() const {
  return std::ranges::any_of(state_.workers, &Worker::may_become_instance);
}

void Supervisor::instance_lost(const Worker& worker, std::optional<int> status) {
  if (ended_well(status) || (worker.leaving && (!status || WIFEXITED(*status)))) return finish(exit_code_of(status));
  if (!worker.served) {
    const bool was_told = state_.is_stopping() && status && WIFSIGNALED(*status) && WTERMSIG(*status) != SIGKILL;
    if (was_told) return finish(0);
    log::error("supervisor: PID {} {} before it served", worker.pid, in_words(status));
    return finish(exit_code_of(status));
  }
  state_.streak.service_ends(now_ms());
  if (!worker.crashed) note_crash(worker.pid, status);
  if (worker.crashed) {
    log::warning("supervisor: the keeper of PID {} has brought no instance", worker.pid);
  } else {
    log::error("supervisor: the instance, PID {}, {}", worker.pid, in_words(status));
  }
  if ((state_.is_stopping() || worker.leaving) && !somebody_may_become_instance()) {
    log::error("supervisor: it was stopping, so nothing replaces it; its connections are lost");
    remove_what_it_left();
    return finish(exit_failed);
  }
  // The signal that it got last was lost with it.
  if (state_.is_stopping()) handoff::insist([this] { state_.signals.push_back(state_.stop_signal); });
  plan_replacement();
}

pid_t Supervisor::keeper() const {
  if (!state_.heritage) return 0;
  const auto record = handoff::insist([this] { return state::decode_instance_record(state_.heritage->application); });
  return record ? static_cast<pid_t>(record->keeper) : 0;
}

// The instance has crashed, and its keeper has its line, too. True: it starts the next instance.
bool Supervisor::leave_to_keeper(Worker& worker, std::optional<int> status) {
  const bool is_crash = status && !ended_well(status) && !worker.leaving && worker.served;
  if (!is_crash || !worker.line || keeper() == 0) return false;
  log::error("supervisor: the instance, PID {}, {}; waits for its keeper, PID {}", worker.pid, in_words(status),
             keeper());
  state_.instance = 0;
  note_crash(worker.pid, status);
  worker.crashed = status;
  if (state_.is_stopping()) handoff::insist([this] { state_.signals.push_back(state_.stop_signal); });
  state_.streak.service_ends(now_ms());
  keeper_until_ = Clock::now() + keeper_patience;
  keeper_rounds_ = keeper_rounds_max;
  is_keeper_killed_ = false;
  if (state_.streak.crashes + 1 >= crashes_in_a_row_max) give_up_keeper();
  return true;
}

// It may take its time as long as a successor of its own lives. Its end is that of the line; one that cannot even be
// killed is waited for no longer.
void Supervisor::give_up_keeper() {
  if (somebody_may_become_instance() && keeper_rounds_-- > 0) {
    keeper_until_ = Clock::now() + keeper_patience;
    return;
  }
  if (std::exchange(is_keeper_killed_, true)) {
    const auto found = std::ranges::find_if(state_.workers, [](const Worker& worker) { return worker.crashed.has_value(); });
    if (found != state_.workers.end()) worker_ended(found->pid, std::nullopt);
    return;
  }
  log::error("supervisor: ends the keeper, PID {}; what it still has is lost", keeper());
  ::kill(keeper(), SIGKILL);
  keeper_until_ = Clock::now() + keeper_patience;
}

// Before that, its successor has announced itself.
void Supervisor::keeper_ended(const Worker& worker) {
  let_newcomers_in();
  std::vector<pid_t> lines;
  for (const Worker& one : state_.workers) lines.push_back(one.pid);
  for (const pid_t pid : lines) read_line(pid);
  if (std::exchange(keeper_until_, std::nullopt) && state_.instance == 0) instance_lost(worker, worker.crashed);
}

void Supervisor::note_crash(pid_t pid, std::optional<int> status) {
  crashed_at_us_ = runtime::monotonic_us();
  if (crash_.pid == pid) return;  // its keeper has told more
  const bool has_signal = status && WIFSIGNALED(*status) && WTERMSIG(*status) != SIGKILL;
  crash_ = {.pid = pid, .signal = has_signal ? WTERMSIG(*status) : 0, .at_unix_us = runtime::unix_us()};
}

void Supervisor::plan_replacement() {
  state_.streak.add();
  if (state_.streak.is_too_long() && !somebody_may_become_instance()) {
    log::error("supervisor: gives up after {} crashes in a row", state_.streak.crashes);
    remove_what_it_left();
    return finish(exit_failed);
  }
  const auto pause = state_.streak.pause();
  replace_at_once_ = Clock::now() + pause;
  replace_at_ = somebody_may_become_instance() ? std::max(replace_at_once_, Clock::now() + candidate_grace) : replace_at_once_;
  if (pause.count() != 0) log::info("supervisor: the next replacement starts in {} s", pause.count() / 1000);
}

void Supervisor::settle() {
  if (exit_code_ || state_.instance != 0 || replacement_ || keeper_until_) return;
  if (foreign_) {
    if (state_.workers.empty()) finish(0);
    return;
  }
  if (state_.is_stopping() && (!somebody_may_become_instance() || !replace_at_ || Clock::now() >= *replace_at_)) {
    log::info("supervisor: stops; no worker serves");
    remove_what_it_left();
    return finish(0);
  }
  if (replace_at_ && Clock::now() >= *replace_at_) replace();
}

void Supervisor::replace() {
  replace_at_.reset();
  const auto replaced = handoff::as_result([this] { return start_replacement(); });
  if (!replaced) replacement_failed(replaced.error().text);
}

handoff::Result<void> Supervisor::start_replacement() {
  if (!state_.heritage || !state_.heritage->executable) {
    // Nothing is known about the crashed worker, so this is a start like the first one.
    start_first();
    return {};
  }
  auto started = start_again(estate_of(*state_.heritage), arguments_, state_.door.theirs.get());
  if (!started) return std::unexpected(started.error());
  log::info("supervisor: PID {} replaces the crashed worker, baton {}", started->pid, state_.heritage->version);
  const pid_t pid = started->pid;
  known(pid);
  state_.streak.service_begins(now_ms());
  try {
    replacement_ = std::make_unique<Replacement>(std::move(*started), state_.heritage, crash_, crashed_at_us_);
  } catch (const std::exception& error) {
    give_up_candidate(pid);
    return handoff::fail(handoff::Fault::system, handoff::describe(error));  // no thread or no descriptor is free
  }
  return {};
}

// It will never be the instance.
void Supervisor::give_up_candidate(pid_t pid) {
  Worker* worker = find(pid);
  if (worker == nullptr || state_.instance == pid) return;
  ::kill(pid, SIGKILL);
  worker->leaving = true;
}

void Supervisor::replacement_over() {
  const std::unique_ptr<Replacement> over = std::move(replacement_);
  const handoff::HandoverOutcome& outcome = over->outcome();
  if (outcome.ending == handoff::Ending::completed) {
    // An older version announces itself in full only now; until then it is the instance all the same.
    Worker* const worker = find(static_cast<pid_t>(outcome.report.to.pid));
    if (state_.instance == 0 && worker != nullptr) {
      state_.instance = worker->pid;
      worker->served = true;
      return;
    }
    // One that had served was counted as a crash already.
    if (state_.instance == 0 && !replace_at_ && !exit_code_) replacement_failed("it is gone");
    return;
  }
  give_up_candidate(over->pid());
  const auto record = handoff::insist([this] { return state::decode_instance_record(state_.heritage->application); });
  if (record && !record->pid_file.empty()) {
    handoff::insist([&] { handoff::discard_temporaries_beside(record->pid_file, over->pid()); });
  }
  const bool is_settled = state_.instance != 0 || state_.is_stopping() || replace_at_;
  if (!is_settled) replacement_failed(outcome.reason);
}

void Supervisor::replacement_failed(const std::string& why) {
  log::error("supervisor: the replacement failed: {}", why);
  if (somebody_else_is_the_instance()) {
    log::info("supervisor: an external successor is the instance; this process exits");
    foreign_ = true;
    return;
  }
  plan_replacement();
}

// The crashed instance could not do it; but if another process serves now, these paths are its own.
void Supervisor::remove_what_it_left() {
  handoff::insist([this] { remove_paths(); });
}

void Supervisor::remove_paths() const {
  if (!state_.heritage) return;
  const auto record = state::decode_instance_record(state_.heritage->application);
  if (!record) return;
  handoff::Result<handoff::InstanceLock> lock = handoff::InstanceLock::on_memory();
  if (!record->handoff_socket.empty()) lock = handoff::InstanceLock::on_file(record->handoff_socket + ".lock");
  // A keeper has it until it has seen its worker's end.
  if (!lock || !lock->take_within(lock_patience)) return;
  if (!record->pid_file.empty()) {
    handoff::PidFile::remove_if_it_names(record->pid_file, ::getpid());
    handoff::discard_temporaries_beside(record->pid_file);
  }
  for (const handoff::InheritedSocket& socket : state_.heritage->sockets) {
    if (socket.name == "@handoff") {
      handoff::UniqueFd copy(::fcntl(socket.descriptor.get(), F_DUPFD_CLOEXEC, 3));
      handoff::MeetingPoint::inherited(std::move(copy), record->handoff_socket).withdraw();
      continue;
    }
    if (std::ranges::find(record->lent, socket.address) != record->lent.end()) continue;
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    if (::getsockname(socket.descriptor.get(), reinterpret_cast<sockaddr*>(&name), &length) != 0) continue;
    const auto address = state::SocketAddress::from_sockaddr(name, length);
    if (address.family == state::Family::unix_path && !address.path.empty()) ::unlink(address.path.c_str());
  }
}

}  // namespace baton::supervisor
