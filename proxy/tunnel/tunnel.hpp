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
  reset,                  // one side is gone, and the other has everything that came before that
};

Need advance(state::ConnectionState& state, std::uint64_t buffer_bytes, std::int64_t now_ms);

// The leg's connection is broken: nothing more can be read from it and it was reset, or only nothing more can be sent on
// it. What it has sent before that still goes on; what waits for it is thrown away.
void note_lost(state::Leg& leg);
void note_write_failed(state::Leg& leg);

// The last time a byte moved on either leg; there are two.
std::int64_t last_progress_ms(const state::ConnectionState& state);

// When it is cut: after `idle_ms` without a byte; and once one side is gone, when the other has taken nothing for
// `send_ms` of what came before that.
std::int64_t deadline_ms(const state::ConnectionState& state, std::int64_t idle_ms, std::int64_t send_ms);

}  // namespace baton::tunnel
