// The origin of the scale test: a process of its own, all connections in one loop.
//
//   /events/…     200, then its events as chunks, a piece now and then, until the board's task is `finish`
//   /websocket/…  101, then every byte comes back
//   /grpc/…       by HTTP/2, an echo of gRPC
//   others        the target's body (clients/dialogue.hpp), with Content-Length
#pragma once

#include "harness/fd.hpp"
#include "scale/board.hpp"

namespace baton::harness {

// Serves connections to `listener` until the task is `leave`.
void run_scale_origin(Board& board, Fd listener);

}  // namespace baton::harness
