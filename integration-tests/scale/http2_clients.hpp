// The clients of the scale test of HTTP/2: a process of its own with all connections in one loop, each connected once,
// with its streams open from first to last. They carry out the board's orders.
#pragma once

#include "scale/board.hpp"

namespace baton::harness {

// What each connection has. Streams that wait for their server hold a connection to it, of which a process can have
// only so many. An answer that has come whole holds none: it waits in the proxy for the client's window.
struct Http2Streams {
  std::size_t events = 2;
  std::size_t websockets = 1;
  std::size_t grpc = 1;  // to a server of HTTP/2
  std::size_t stalled_answers = 16;

  constexpr std::size_t with_server() const { return events + websockets + grpc; }
  constexpr std::size_t all() const { return with_server() + stalled_answers; }
};

// Returns when the task is `leave`. In `finish`, each stalled answer is read to its end and counted in `idle_answers`,
// and every other stream comes to its end.
void run_http2_clients(Board& board, std::size_t connections, const Http2Streams& streams);

}  // namespace baton::harness
