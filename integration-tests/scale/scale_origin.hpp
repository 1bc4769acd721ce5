// The origin of the scale test: a process of its own, all connections in one loop.
//
//   /answer/…    the target as the body, with Content-Length
//   /stream/ID   200, then the row of units as chunks, a piece now and then, until the board's task is `finish`
//   /tunnel      101, then every byte comes back
#pragma once

#include "harness/fd.hpp"
#include "scale/board.hpp"

namespace baton::harness {

// Serves what connects to `listener`, until the task is `leave`.
void run_scale_origin(Board& board, Fd listener);

}  // namespace baton::harness
