#include "handoff/survival.hpp"

#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "handoff/after_death.hpp"
#include "handoff/executable.hpp"

namespace baton::handoff {

namespace {

bool has_other_threads() {
  DIR* const tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return false;
  int number = 0;
  while (const dirent* const entry = ::readdir(tasks)) number += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(tasks);
  return number > 1;
}

// The keeper blocks all signals, so one that was sent to the whole group waits here. Then the operator wants no
// process.
bool is_told_to_stop() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGTERM) == 1 || ::sigismember(&pending, SIGINT) == 1 ||
         ::sigismember(&pending, SIGQUIT) == 1;
}

// An exception must not go on as if this were the process: it ends the keeper.
[[noreturn]] void be_keeper(Kept& kept, pid_t process, const UpgradableTerms& terms, int executable) noexcept {
  ::prctl(PR_SET_NAME, "handoff-keeper");
  ::prctl(PR_SET_DUMPABLE, 0);  // the process may have secrets later
  const bool is_known = await_end_of(process);
  if (!is_known || !kept.control().is_serving || is_told_to_stop()) ::_exit(0);
  ::_exit(rescue(kept, process, terms, executable) ? 0 : 1);
}

// `exit` is no crash.
std::atomic<Kept*> of_this_process = nullptr;
pid_t this_process = 0;

void note_exit() {
  Kept* const kept = of_this_process;
  if (kept != nullptr && ::getpid() == this_process) kept->control().is_serving = false;
}

}  // namespace

void say(const UpgradableTerms& terms, const std::string& line) {
  if (terms.log) return terms.log(line);
  std::fprintf(stderr, "%s\n", line.c_str());
}

std::unique_ptr<Survival> Survival::begin(const UpgradableTerms& terms) {
  if (has_other_threads()) throw std::runtime_error("the process has threads already");
  auto kept = std::make_unique<Kept>([&terms](const std::string& line) { say(terms, line); });
  UniqueFd executable = own_executable();
  const pid_t process = ::getpid();
  const pid_t keeper = clone_with_our_descriptors();
  if (keeper < 0) throw std::system_error(errno, std::generic_category(), "no keeper can be started");
  if (keeper == 0) be_keeper(*kept, process, terms, executable.release());
  (void)executable.release();  // the keeper has the same table: it stays open for it
  kept->keep_from_children();
  note_fatal_signals(kept->control().signal);
  static const bool is_registered = std::atexit(note_exit) == 0;
  (void)is_registered;
  of_this_process = kept.get();
  this_process = process;
  std::unique_ptr<Survival> begun(new Survival(std::move(kept), keeper));
  if (!begun->handle_) throw std::system_error(errno, std::generic_category(), "pidfd_open");
  return begun;
}

Survival::Survival(std::unique_ptr<Kept> kept, pid_t pid)
    : kept_(std::move(kept)),
      process_(::getpid()),
      pid_(pid),
      handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

Survival::~Survival() {
  if (::getpid() != process_) return;
  if (of_this_process == kept_.get()) of_this_process = nullptr;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool Survival::is_keeper_dead() const {
  pollfd polled{handle_.get(), POLLIN, 0};
  if (::poll(&polled, 1, 0) <= 0) return false;
  return true;
}

}  // namespace baton::handoff
