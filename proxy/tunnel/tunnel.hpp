// Two flows relayed without looking: what came on one goes out on the other, each direction ends by itself.
// No I/O: see engine/engine.hpp for how such an engine is run.
#pragma once

#include "proxy/engine/action.hpp"
#include "proxy/state/state.hpp"

namespace baton::tunnel {

// `exchange` is Tunnelling.
engine::Action advance(state::Exchange& exchange, const engine::Ends& ends, std::uint64_t buffer_bytes,
                       std::int64_t now_ms);

// The upstream's flow can be read no more; or, without one, no server was reached. `servers`: how many there are to try.
engine::Action upstream_lost(state::Exchange& exchange, const engine::Ends& ends, engine::Loss loss, unsigned servers);

// The flow is broken: nothing more can be read from it and it was reset, or only nothing more can be sent on it. What it
// has sent before that still goes on; what waits for it is thrown away.
void note_lost(state::Flow& flow);
void note_write_failed(state::Flow& flow);

// The last time a byte moved on either flow.
std::int64_t last_progress_ms(const state::Flow& client, const state::Flow& upstream);

// When it is cut: after `idle_ms` without a byte; and once one side is gone, when the other has taken nothing for
// `send_ms` of what came before that.
std::int64_t deadline_ms(const state::Flow& client, const state::Flow& upstream, std::int64_t idle_ms,
                         std::int64_t send_ms);

}  // namespace baton::tunnel
