// The program that a process runs, kept so that it can be started again whatever becomes of its file.
#pragma once

#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// Of this process; empty if the kernel does not say (no /proc).
UniqueFd own_executable();

// Keeps it usable when no process runs it any more. A file that has no name left cannot be changed, and the descriptor is enough;
// otherwise a copy in memory is taken, or the descriptor stays if there is no room for that.
UniqueFd keep_executable(UniqueFd executable);

}  // namespace baton::handoff
