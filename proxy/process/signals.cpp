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

InheritedSignals own_signals() {
  InheritedSignals inherited;
  const sigset_t signals = handled_signals();
  ::sigprocmask(SIG_SETMASK, &signals, &inherited.blocked);
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) != 0) continue;
    // Not only ignored ones: SIGCHLD may have SA_NOCLDWAIT.
    if (before.sa_handler == SIG_IGN) inherited.ignored.push_back(signal);
    ::signal(signal, signal == SIGPIPE || signal == SIGXFSZ ? SIG_IGN : SIG_DFL);
  }
  return inherited;
}

void give_back(const InheritedSignals& inherited) {
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_DFL);
  for (const int signal : inherited.ignored) {
    if (signal != SIGCHLD) ::signal(signal, SIG_IGN);
  }
  ::sigprocmask(SIG_SETMASK, &inherited.blocked, nullptr);
}

namespace {

sigset_t stops() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

StopsEndUs::StopsEndUs() {
  const sigset_t signals = stops();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

StopsEndUs::~StopsEndUs() {
  const sigset_t signals = stops();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
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
