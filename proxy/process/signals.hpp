// The signals we handle. They are blocked in every thread from the start and read from a descriptor: no handler ever
// runs, and a signal that comes early does not kill.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <csignal>
#include <vector>

#include "handoff/unique_fd.hpp"

namespace baton::process {

// USR1, USR2, HUP, TERM, INT, QUIT, CHLD.
sigset_t handled_signals();

// The signals that were ignored and blocked in the process that started this one.
struct InheritedSignals {
  std::vector<int> ignored;
  sigset_t blocked{};
};

// Call first in main. Whatever was inherited, exactly the handled signals are blocked, and each signal has its default
// action. Two are ignored, because a failed write reports the error itself: SIGPIPE and SIGXFSZ (RLIMIT_FSIZE).
InheritedSignals own_signals();
// For a program that is no server: restores signals, so that `nohup` takes effect. SIGCHLD keeps its default, because
// otherwise children could not be waited for.
void give_back(const InheritedSignals& inherited);

// While this exists, TERM and INT end the process as they would any other: it is not serving yet, and may be waiting
// long for names and files.
class StopsEndUs {
 public:
  StopsEndUs();
  ~StopsEndUs();
  StopsEndUs(const StopsEndUs&) = delete;
  StopsEndUs& operator=(const StopsEndUs&) = delete;
};

// Readable when one of the handled signals has come; read signalfd_siginfo from it.
handoff::UniqueFd signal_descriptor();

// Sends a signal to another process, which can tell that it was passed on, not sent directly.
void pass_on(int signal, pid_t to);
bool was_passed_on(const signalfd_siginfo& info);

}  // namespace baton::process
