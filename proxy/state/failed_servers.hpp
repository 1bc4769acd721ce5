// The servers that an exchange has failed on, in `Extras::failed`: each address as text and a line feed, each once, the
// last one at the end. A server that has lost a request on a connection from the pool is not among them.
#pragma once

#include "proxy/state/state.hpp"

namespace baton::state {

// Without memory for that the server may be asked once more.
void note_failed(Exchange& exchange, const SocketAddress& server) noexcept;

inline bool has_failed(const Exchange& exchange) {
  return exchange.extras && !exchange.extras->failed.empty();
}

// The place of the server among them, 1 for the first; 0: it is not among them.
unsigned place_among_failed(const Exchange& exchange, const SocketAddress& server);

}  // namespace baton::state
