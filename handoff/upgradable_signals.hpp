// How an Upgradable's process treats signals.
#pragma once

#include <csignal>

namespace baton::handoff {

// Those that it obeys: blocked, and read from a descriptor.
sigset_t obeyed_signals();

// Blocks them, and ignores PIPE. Undoes ignored signals inherited from our parent: an ignored signal never reaches the
// descriptor, and with SIGCHLD ignored the kernel reaps children without telling how they ended. The server's own
// handlers stay.
void own_signals();

}  // namespace baton::handoff
