// The program a process runs, kept so that it can be started again whatever happens to its file.
#pragma once

#include "handoff/unique_fd.hpp"

namespace baton::handoff {

// This process's executable; empty if the kernel does not say (no /proc).
UniqueFd own_executable();

// Keeps it usable when no process runs it any more. A file without a name cannot be changed, so its descriptor is
// enough; any other is copied into memory, or kept as a descriptor if there is no room for a copy.
UniqueFd keep_executable(UniqueFd executable);

}  // namespace baton::handoff
