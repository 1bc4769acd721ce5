// What an engine is given and what it answers. An engine runs one exchange between two flows: no I/O and no clock.
#pragma once

#include "proxy/state/state.hpp"

namespace baton::engine {

// The two ends of an exchange.
struct Ends {
  state::Flow& client;
  state::Flow* upstream = nullptr;     // none: there is no server yet, or no more
};

// What an engine cannot do itself. Whoever runs it does so after it has returned, and then calls `advance` again (not
// after `wait`, `close` and `reset`).
enum class Action {
  wait,                   // for bytes, room, or the deadline
  connect,                // find a server: then the exchange has an upstream leg, or `upstream_lost` says why not
  park,                   // the upstream leg is idle and reusable: take it out of the exchange
  close_upstream,         // it has served its exchange and cannot be used again: the same, and end it in good order
  cut_upstream,           // it is given up: the same, by a reset, so that the server does not take a part for the whole
  exchange_ended,         // log it and drop it; the connection can have another
  exchange_ended_early,   // the same, but the client may still be sending: it is to be read to its end first
  end_client_writing,     // shutdown(SHUT_WR) of the client's flow
  end_upstream_writing,   // the same of the upstream's
  close,                  // the connection is over
  reset,                  // over, and nobody must take what it has for the whole: end both legs by RST
};

// Why there is no upstream leg, or no more.
enum class Loss {
  unreachable,            // no server could be connected, or none is left to try
  connect_failed,
  connect_timed_out,
  reset,                  // reading failed
};

}  // namespace baton::engine
