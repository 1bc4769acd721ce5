#include "proxy/process/signals.hpp"

#include <cerrno>
#include <system_error>

namespace baton::process {

sigset_t handled_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int one : {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGCHLD}) ::sigaddset(&signals, one);
  return signals;
}

void block_signals() {
  const sigset_t signals = handled_signals();
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

void unblock_signals() {
  const sigset_t signals = handled_signals();
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
}

handoff::UniqueFd signal_descriptor() {
  const sigset_t signals = handled_signals();
  handoff::UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) throw std::system_error(errno, std::generic_category(), "signalfd");
  return fd;
}

void pass_on(int signal, pid_t to) { ::sigqueue(to, signal, {}); }

bool was_passed_on(const signalfd_siginfo& info) { return info.ssi_code == SI_QUEUE; }

}  // namespace baton::process
