// Where a worker comes in: a pair of sockets that the supervisor makes once. Every worker is left one end of it, brings
// a line of its own through it, and leaves it to its successor.
#pragma once

#include <sys/types.h>

#include <optional>

#include "handoff/unique_fd.hpp"

namespace baton::supervisor {

struct Door {
  handoff::UniqueFd ours;          // where lines come out
  handoff::UniqueFd theirs;        // what workers are left
};

// Throws std::system_error.
Door make_door();

// A worker's part: one end of a new stream pair goes through `door`, the other is the answer. Where nobody takes it in, it
// is at its end at once. Empty: no descriptor is free.
handoff::UniqueFd bring_line(int door);

// Whoever has come in.
struct Newcomer {
  pid_t pid = 0;                   // who made the pair
  handoff::UniqueFd line;
};
// Nothing: nobody waits there, or what came was no line.
std::optional<Newcomer> let_in(int door);

// Of the process that made the pair which `socket` is an end of; 0 if the kernel does not say.
pid_t maker_of(int socket);

// A connected Unix socket of this type, as SOCK_STREAM.
bool is_unix_socket(int descriptor, int type);

}  // namespace baton::supervisor
