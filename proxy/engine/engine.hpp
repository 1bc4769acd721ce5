// The engine of a connection, as a machine over ConnectionState: bytes that came are in the flows' `unread`, bytes to
// send in `unsent`, time is an argument. Whoever runs it reads and writes as `wanted_*` say, calls `advance` until that
// asks for nothing, and does what it asks. Between any two calls the state is whole and can be frozen.
//
//   AwaitingRequest ──head──▶ Connecting ──connected──▶ Relaying ──both ended──▶ AwaitingRequest
//        │ bad, late              │ no server                │ 101 ─▶ Tunnelling
//        └────────▶ Answering ◀───┴──────lost, late──────────┘
//                       └──sent──▶ Lingering ──client ended, or late──▶ closed
//
// Connecting to Tunnelling are the exchange's, and http1/ or tunnel/ runs that; the rest is the connection's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/engine/action.hpp"
#include "proxy/http1/exchange.hpp"
#include "proxy/state/state.hpp"

namespace baton::engine {

using http1::Context;
using http1::Rules;

// Which exchange asks for what; none: the connection does.
struct Need {
  state::Exchange* exchange = nullptr;
  Action action = Action::wait;
};

Need advance(state::ConnectionState& state, const Context& context);

// The configuration has changed, or another process had the connection before.
void reconfigured(state::ConnectionState& state);

// There is no upstream leg for the exchange, or it can be read no more.
Action upstream_lost(state::ConnectionState& state, Loss loss, const Context& context);

// The upstream takes no more bytes. Its response may still be read.
void upstream_write_failed(state::ConnectionState& state);

// The same of the client: reading failed, or it takes no more bytes.
Action client_lost(state::ConnectionState& state);
Action client_write_failed(state::ConnectionState& state);

// The deadline has come.
Action expire(state::ConnectionState& state, const Context& context);

// When to call `expire`, CLOCK_MONOTONIC; INT64_MAX: never. In Connecting this is the limit of the whole exchange; an
// attempt to connect has one of its own, which is not the engine's.
std::int64_t deadline_ms(const state::ConnectionState& state, const Rules& rules);

// How many bytes may be read into the flow's `unread` now; 0: none.
std::size_t wanted_from_client(const state::ConnectionState& state, const Rules& rules);
std::size_t wanted_from_upstream(const state::ConnectionState& state, const Rules& rules);

// Between two requests: nothing is on its way in either direction, but part of a head, or pipelined requests, may be
// here.
bool at_boundary(const state::ConnectionState& state);
// At a boundary, and nothing of a request is here.
bool is_idle(const state::ConnectionState& state);

}  // namespace baton::engine
