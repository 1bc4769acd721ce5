// Relays two flows unchanged: bytes received on one are sent on the other, and each direction ends by itself. No I/O:
// see engine/engine.hpp for how to run such an engine.
#pragma once

#include "proxy/engine/action.hpp"
#include "proxy/state/state.hpp"

namespace baton::tunnel {

// The exchange's phase is Tunnelling.
engine::Action advance(state::Exchange& exchange, const engine::Ends& ends, std::uint64_t buffer_bytes,
                       std::int64_t now_ms);

// The upstream's flow can no longer be read; or, without one, no server was reached. `servers`: how many can be tried.
engine::Action upstream_lost(state::Exchange& exchange, const engine::Ends& ends, engine::Loss loss, unsigned servers);

// Neither side has said that it has ended.
engine::Action expire(state::Exchange& exchange);

// The flow is broken: it was reset and cannot be read any more, or only nothing more can be sent on it. What it sent
// before is still forwarded; what waits for it is discarded.
void note_lost(state::Flow& flow);
void note_write_failed(state::Flow& flow);

// The last time a byte moved on either flow.
std::int64_t last_progress_ms(const state::Flow& client, const state::Flow& upstream);

// When the tunnel is cut, CLOCK_MONOTONIC: after `idle_ms` without a byte; and once one side is gone, when the other
// has taken none of the bytes from before that for `send_ms`.
std::int64_t deadline_ms(const state::Flow& client, const state::Flow& upstream, std::int64_t idle_ms,
                         std::int64_t send_ms);

}  // namespace baton::tunnel
