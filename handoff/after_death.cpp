#include "handoff/after_death.hpp"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <system_error>

#include "handoff/unique_fd.hpp"

namespace baton::handoff {

namespace {

std::atomic<std::atomic<int>*> noted_here = nullptr;
pid_t noting_process = 0;

// The default action follows: of a fault, when its instruction is repeated. A child of the process may have inherited
// this, but not the memory.
void note_fatal(int signal, siginfo_t* info, void*) {
  if (std::atomic<int>* const noted = noted_here; noted != nullptr && ::getpid() == noting_process) {
    noted->store(signal, std::memory_order_relaxed);
  }
  const bool is_fault = signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
  const bool comes_again = is_fault && info->si_code > 0 && info->si_code != BUS_MCEERR_AO;
  if (!comes_again) ::raise(signal);
}

}  // namespace

pid_t clone_with_our_descriptors() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = ::syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid != 0) {
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
  }
  return static_cast<pid_t>(pid);
}

bool await_end_of(pid_t process) {
  const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  if (::getppid() != process) return true;  // then the handle may be another process's
  if (!handle) return false;
  pollfd polled{handle.get(), POLLIN, 0};
  while (::poll(&polled, 1, -1) < 0) {
    if (errno != EINTR) return false;
  }
  return (polled.revents & POLLIN) != 0;
}

void note_fatal_signals(std::atomic<int>& noted) {
  noting_process = ::getpid();
  noted_here = &noted;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP}) {
    struct sigaction now{};
    ::sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_DFL) continue;  // the server's own, or of a sanitizer
    struct sigaction action{};
    action.sa_sigaction = note_fatal;
    action.sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER;
    ::sigaction(signal, &action, nullptr);
  }
}

std::vector<int> descriptors_like(std::string_view kind) {
  std::vector<int> found;
  DIR* const directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) {
    if (errno == ENOMEM) throw std::bad_alloc();
    throw std::system_error(errno, std::generic_category(), "/proc/self/fd");
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> closing(directory, ::closedir);
  while (const dirent* const entry = ::readdir(directory)) {
    char target[32];
    const ssize_t bytes = ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof target);
    if (bytes > 0 && std::string_view(target, static_cast<std::size_t>(bytes)).starts_with(kind)) {
      found.push_back(std::atoi(entry->d_name));
    }
  }
  return found;
}

void close_epolls() {
  for (const int one : descriptors_like("anon_inode:[eventpoll]")) ::close(one);
}

void end_by_reset(int descriptor) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void reset_all_that_is_connected(const std::set<ino_t>& adopted) {
  for (const int one : descriptors_like("socket:")) {
    struct stat file{};
    if (!adopted.empty() && (::fstat(one, &file) != 0 || adopted.contains(file.st_ino))) continue;
    int is_listening = 1;
    socklen_t bytes = sizeof is_listening;
    if (::getsockopt(one, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) == 0 && is_listening == 0)
      end_by_reset(one);
  }
}

}  // namespace baton::handoff
