// The signals we handle. They are blocked from the first instruction on, in every thread, and read from a descriptor:
// no handler ever runs, and none that comes early kills.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <csignal>

#include "handoff/unique_fd.hpp"

namespace baton::process {

// USR1, USR2, HUP, TERM, INT, QUIT, CHLD.
sigset_t handled_signals();

// First thing in main. SIGPIPE is ignored as well.
void block_signals();
void unblock_signals();

// Readable when one of them came; read signalfd_siginfo from it.
handoff::UniqueFd signal_descriptor();

// To another process, which can tell that it is none that was sent to itself.
void pass_on(int signal, pid_t to);
bool was_passed_on(const signalfd_siginfo& info);

}  // namespace baton::process
