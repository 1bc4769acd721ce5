// What a supervisor hears from its workers.
#include <sys/socket.h>
#include <sys/wait.h>

#include <utility>

#include "handoff/insist.hpp"
#include "handoff/supervision.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/state/instance_record.hpp"
#include "proxy/supervisor/supervisor.hpp"

namespace baton::supervisor {

namespace log = runtime::log;

void Supervisor::let_newcomers_in() {
  while (auto newcomer = let_in(state_.door.ours.get())) {
    if (newcomer->pid <= 0) continue;
    Worker& worker = known(newcomer->pid);
    worker.line = std::make_unique<handoff::Channel>(std::move(newcomer->line));
    if (worker.pid == state_.instance) {
      for (const int signal : std::exchange(state_.signals, {})) forward(signal);
    }
  }
}

void Supervisor::read_line(pid_t pid) {
  for (Worker* worker; (worker = find(pid)) != nullptr && worker->line;) {
    auto frame = worker->line->try_receive();
    if (frame && !*frame) return;
    if (frame) {
      hear(*worker, **frame);
      continue;
    }
    worker->line.reset();
    if (frame.error().fault != handoff::Fault::closed) {
      log::error("supervisor: the line of PID {} broke: {}", pid, frame.error().text);
      // Its keeper has spoken behind half a frame of the worker's, and that was its last word.
      if (worker->crashed) worker_ended(pid, std::nullopt);
      return;
    }
    // While its predecessor lives it is that one's child. Ours is reaped once the kernel is done with it.
    int status = 0;
    const pid_t reaped = ::waitpid(pid, &status, WNOHANG);
    if (reaped == pid) worker_ended(pid, status);
    if (reaped < 0) worker_ended(pid, std::nullopt);
  }
}

void Supervisor::hear(Worker& worker, handoff::Frame& frame) {
  switch (frame.kind) {
    case handoff::Kind::hello:
    case handoff::Kind::inherit: {
      const auto last = handoff::hear_estate(frame, worker.arriving);
      if (!last) log::error("supervisor: the announcement of PID {} is unusable: {}", worker.pid, last.error().text);
      if (last && *last) announced(worker);
      return;
    }
    case handoff::Kind::done:
      return succeeded(worker, frame);
    case handoff::Kind::bye:
      worker.leaving = true;
      if (worker.pid == state_.instance) stop_listening();
      return;
    case handoff::Kind::returned:
      return hear_of_crash(frame);
    default:
      return;  // of a later version
  }
}

// No process will be started with its sockets: clients that come now must be refused, not wait. Those with a path are
// what `remove_what_it_left` goes by; the worker removes the paths itself.
void Supervisor::stop_listening() {
  if (!state_.heritage) return;
  std::erase_if(state_.heritage->sockets, [](const handoff::InheritedSocket& socket) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    const int named = ::getsockname(socket.descriptor.get(), reinterpret_cast<sockaddr*>(&name), &length);
    return named == 0 && name.ss_family != AF_UNIX;
  });
}

void Supervisor::announced(Worker& worker) {
  const bool is_new = !state_.heritage || state_.heritage->generation != worker.arriving.generation;
  const auto heritage = handoff::insist([] { return std::make_shared<Heritage>(); });  // it is announced only once
  *heritage = std::exchange(worker.arriving, {});
  state_.heritage = heritage;
  log_like(heritage->application);
  worker.served = true;
  state_.instance = worker.pid;
  crash_ = {};
  replace_at_.reset();
  if (std::exchange(keeper_until_, std::nullopt)) {
    state_.streak.add();
    state_.streak.service_begins(now_ms());
  }
  if (replacement_ && replacement_->pid() != worker.pid) replacement_->call_off("another process is the instance");
  if (is_new) log::info("supervisor: PID {} is the instance, generation {}", worker.pid, state_.heritage->generation);
  for (const int signal : std::exchange(state_.signals, {})) forward(signal);
  consider_renewal();
}

void Supervisor::succeeded(Worker& worker, const handoff::Frame& frame) {
  const auto succession = handoff::hear_succession(frame);
  worker.resigned = true;
  ::shutdown(worker.line->descriptor(), SHUT_WR);                // it must get no more signals for the instance
  if (state_.instance != worker.pid && !worker.crashed) return;  // the successor has announced itself
  if (!succession || succession->foreign || succession->pid <= 0) {
    log::info("supervisor: an external successor is the instance; this process exits with its last worker");
    state_.instance = 0;
    keeper_until_.reset();
    foreign_ = true;
    return;
  }
  Worker& successor = known(static_cast<pid_t>(succession->pid));
  successor.served = true;
  state_.instance = successor.pid;
}

// From a keeper that brings no instance. It may come before we know that the worker is dead.
void Supervisor::hear_of_crash(const handoff::Frame& frame) {
  const auto application = handoff::hear_no_heir(frame);
  const auto record = application ? state::decode_instance_record(*application) : std::nullopt;
  if (!record) return;
  crash_ = record->crashes.last;
  crash_.lost += std::exchange(crash_.whole, 0);  // those that a failed successor has adopted end with it
}

}  // namespace baton::supervisor
