// The signals we handle. They are blocked from the first instruction on, in every thread, and read from a descriptor:
// no handler ever runs, and none that comes early kills.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <csignal>
#include <vector>

#include "handoff/unique_fd.hpp"

namespace baton::process {

// USR1, USR2, HUP, TERM, INT, QUIT, CHLD.
sigset_t handled_signals();

// What whoever started this process had ignored and blocked.
struct InheritedSignals {
  std::vector<int> ignored;
  sigset_t blocked{};
};

// First thing in main: whatever was inherited, exactly the handled signals are blocked, and each signal has its default
// action. Two are ignored, because a write that fails says so itself: SIGPIPE and SIGXFSZ (RLIMIT_FSIZE).
InheritedSignals own_signals();
// For a program that is no server: signals as they were, so that `nohup` has its effect. SIGCHLD keeps its default, or
// children could not be waited for.
void give_back(const InheritedSignals& inherited);

// While this lives, TERM and INT end the process as they end any other: it serves nothing yet, and waits for names and
// files, perhaps for long.
class StopsEndUs {
 public:
  StopsEndUs();
  ~StopsEndUs();
  StopsEndUs(const StopsEndUs&) = delete;
  StopsEndUs& operator=(const StopsEndUs&) = delete;
};

// Readable when one of them came; read signalfd_siginfo from it.
handoff::UniqueFd signal_descriptor();

// To another process, which can tell that it is none that was sent to itself.
void pass_on(int signal, pid_t to);
bool was_passed_on(const signalfd_siginfo& info);

}  // namespace baton::process
