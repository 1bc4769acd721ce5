// The clients of the scale test: a process of its own with all connections in one loop, each connected once and
// compared byte by byte. They carry out the board's orders; steady clients, streams and tunnels never rest.
#pragma once

#include "scale/board.hpp"

namespace baton::harness {

// Returns when the task is `leave`.
void run_scale_clients(Board& board, const Crowd& crowd);

}  // namespace baton::harness
