// The door through which workers reach the supervisor: a socket pair that the supervisor makes once. Every worker
// inherits one end, sends a line of its own through it, and leaves it to its successor.
#pragma once

#include <sys/types.h>

#include <optional>

#include "handoff/unique_fd.hpp"

namespace baton::supervisor {

struct Door {
  handoff::UniqueFd ours;          // where lines arrive
  handoff::UniqueFd theirs;        // what workers inherit
};

// Throws std::system_error.
Door make_door();

// The worker's part: sends one end of a new stream pair through `door` and returns the other. If it is not taken, the
// returned end reads EOF at once. Empty: no descriptor is free.
handoff::UniqueFd bring_line(int door);

// A worker that has arrived.
struct Newcomer {
  pid_t pid = 0;                   // of the process that made the pair
  handoff::UniqueFd line;
};
// Nothing: no worker is waiting, or what arrived was not a line.
std::optional<Newcomer> let_in(int door);

// The PID of the process that made the pair to which `socket` belongs; 0 if the kernel does not say.
pid_t maker_of(int socket);

// Whether it is a connected Unix socket of this type, such as SOCK_STREAM.
bool is_unix_socket(int descriptor, int type);

}  // namespace baton::supervisor
