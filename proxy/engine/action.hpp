// What an engine is given and what it answers. An engine runs one exchange between two flows, without I/O or a clock.
#pragma once

#include "proxy/state/state.hpp"

namespace baton::engine {

// The two ends of an exchange.
struct Ends {
  state::Flow& client;
  state::Flow* upstream = nullptr;     // none: no server yet, or no longer
};

// What an engine cannot do itself. Its caller does it after the engine returns, then calls `advance` again (but not
// after `wait`, `close` and `reset`).
enum class Action {
  wait,                  // for bytes, room, or the deadline
  connect,               // find a server: then the exchange has an upstream leg, or `upstream_lost` says why not
  authenticate,          // verify Scratch::question: then advance with the verdict
  park,                  // the upstream leg is idle and reusable: take it out of the exchange
  close_upstream,        // it has served its exchange and cannot be reused: take it out and end it cleanly
  cut_upstream,          // abandoned: take it out and reset it, so the server does not take a part for the whole
  exchange_ended,        // log and drop it; the connection can have another
  exchange_ended_early,  // the same, but the client may still be sending: read it to its end first
  end_client_writing,    // shutdown(SHUT_WR) of the client's flow
  end_upstream_writing,  // the same for the upstream's
  close,                 // the connection is over
  reset,                 // over: end both legs with RST, so that neither side takes a part for the whole
};

// Why there is no upstream leg, or no longer one.
enum class Loss {
  unreachable,  // no server could be connected, or none is left to try
  unavailable,  // no server takes requests now, or each has its max_connections
  connect_failed,
  connect_timed_out,
  reset,  // reading failed
};

}  // namespace baton::engine
