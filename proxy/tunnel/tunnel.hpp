// Two legs relayed without looking: what came on one goes out on the other, each direction ends by itself.
// No I/O: see http1/exchange.hpp for how such an engine is run.
#pragma once

#include "proxy/state/state.hpp"

namespace baton::tunnel {

enum class Need {
  connect,                // there is no upstream leg
  nothing,                // wait for bytes or room
  end_client_writing,     // the upstream has ended and all of it is sent: shutdown(SHUT_WR) of the client leg
  end_upstream_writing,   // the other way round
  close,                  // both directions have ended
};

Need advance(state::ConnectionState& state, std::uint64_t buffer_bytes, std::int64_t now_ms);

// The last time a byte moved on either leg; there are two.
std::int64_t last_progress_ms(const state::ConnectionState& state);

}  // namespace baton::tunnel
