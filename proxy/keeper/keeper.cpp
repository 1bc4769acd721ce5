#include "proxy/keeper/keeper.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "handoff/after_death.hpp"
#include "handoff/insist.hpp"
#include "handoff/result.hpp"
#include "proxy/keeper/recovery.hpp"
#include "proxy/process/oom_score.hpp"
#include "proxy/process/secrecy.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/supervisor/replacement.hpp"

namespace baton::keeper {

namespace {

// As many descriptors as the process may ever have.
std::size_t descriptors_max() {
  constexpr rlim_t most = 4 * 1024 * 1024;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(std::min(limit.rlim_max, most));
}

// Then no further instance must start: a supervised worker does not outlive its supervisor.
bool is_supervisor_gone(int line) {
  pollfd polled{line, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0 && (polled.revents & (POLLHUP | POLLERR)) != 0;
}

// An exception must not go on as if this were the worker: it ends the process.
[[noreturn]] void be_keeper(Arena& arena, pid_t worker, const Origin& origin) noexcept {
  ::prctl(PR_SET_NAME, "baton-keeper");
  const int oom_score = process::open_oom_score();
  process::keep_memory_private();  // the worker may have keys later
  arena.only_read();
  if (!handoff::await_end_of(worker)) ::_exit(1);
  const Control& control = arena.control();
  if (control.is_over || !control.is_prepared || is_supervisor_gone(origin.line)) ::_exit(0);
  // What the dead worker has left is freed with this process. Without that memory, the service may have no room to go
  // on.
  process::be_killed_first(oom_score);
  // The keeper needs no log. There is none without a thread or a descriptor for it.
  (void)handoff::as_result([&control]() -> handoff::Result<void> {
    handoff::insist([&control] {
      if (control.testament != nullptr) supervisor::log_like(control.testament.load()->estate().application);
      runtime::log::start(runtime::log::Level::info);
      runtime::log::set_writer({"keeper " + std::to_string(::getpid()), {}});
    });
    return {};
  });
  const bool is_done = control.testament != nullptr ? hand_over_survivors(control, arena.roster(), origin)
                                                    : give_back_survivors(control, arena.roster(), worker);
  runtime::log::stop();
  ::_exit(is_done ? 0 : 1);
}

}  // namespace

std::unique_ptr<Keeper> Keeper::begin(const Origin& origin) {
  auto* const arena = new Arena(descriptors_max());
  const pid_t worker = ::getpid();
  const pid_t pid = handoff::clone_with_our_descriptors();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "no keeper can be started");
  if (pid == 0) be_keeper(*arena, worker, origin);
  arena->keep_from_children();
  handoff::note_fatal_signals(arena->control().signal);
  return std::unique_ptr<Keeper>(new Keeper(*arena, pid));
}

void Keeper::end() {
  note_end();
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Keeper::note_prepared(int lock, Survive survive) {
  arena_.control().set_lock(lock);
  arena_.control().survive = survive;
  arena_.control().is_prepared = true;
}

void Keeper::note_conversation(Partner partner, int channel, int spare) {
  // In this order: while there is a spare, the others belong to it.
  arena_.control().spare = -1;
  arena_.control().partner = partner;
  arena_.control().channel = channel;
  arena_.control().spare = spare;
}

void Keeper::remember(const handoff::PredecessorTerms& terms, const handoff::Estate& estate, int lock,
                      Survive survive) {
  auto testament = std::make_unique<const Testament>(terms, estate);
  arena_.control().set_lock(lock);
  arena_.control().survive = survive;
  arena_.control().testament = testament.get();
  arena_.control().is_prepared = true;
  testament_ = std::move(testament);
}

}  // namespace baton::keeper
