#include "handoff/upgradable_signals.hpp"

#include <initializer_list>

namespace baton::handoff {

sigset_t obeyed_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int one : {SIGUSR2, SIGTERM, SIGINT, SIGQUIT}) ::sigaddset(&signals, one);
  return signals;
}

void own_signals() {
  const sigset_t signals = obeyed_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  for (const int obeyed : {SIGUSR2, SIGTERM, SIGINT, SIGQUIT}) ::signal(obeyed, SIG_DFL);
  struct sigaction of_children{};
  ::sigaction(SIGCHLD, nullptr, &of_children);
  if (of_children.sa_handler == SIG_IGN || (of_children.sa_flags & SA_NOCLDWAIT) != 0) ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace baton::handoff
