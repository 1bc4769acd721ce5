// The engine of a connection, as a machine over ConnectionState: received bytes are in the flows' `unread`, bytes to
// send in `unsent`, and time is an argument. Its caller reads and writes as `wanted_*` say, calls `advance` until it
// asks for nothing more, and does what it asks. The state is consistent between any two calls and can be frozen.
//
//   AwaitingRequest ──head──▶ Connecting ──connected──▶ Relaying ──both ended──▶ AwaitingRequest
//        │ bad, late              │ no server                │ 101 ─▶ Tunnelling
//        └────────▶ Answering ◀───┴──────lost, late──────────┘
//                       └──sent, and the request's body read──▶ AwaitingRequest
//                       └──sent, and where the request ends is unknown──▶ Lingering ──client ended, or late──▶ closed
//
// Connecting to Tunnelling are phases of the exchange, run by http1/ or tunnel/; the rest belong to the connection.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy/engine/action.hpp"
#include "proxy/http1/exchange.hpp"
#include "proxy/state/state.hpp"

namespace baton::engine {

using http1::Context;
using http1::Rules;

// What is needed, and for which exchange; null: for the connection.
struct Need {
  state::Exchange* exchange = nullptr;
  Action action = Action::wait;
};

Need advance(state::ConnectionState& state, const Context& context);

// The same for a stream of HTTP/2. Without an exchange, its head has come, and its only exchange begins.
Action advance_stream(state::ClientSide& side, const Context& context);
Action expire_stream(state::ClientSide& side, const Context& context);
std::int64_t stream_deadline_ms(const state::ClientSide& side, const Rules& rules);

// The configuration has changed, or the connection comes from another process.
void reconfigured(state::ClientSide& side);

// The exchange has no upstream leg, or the leg can no longer be read.
Action upstream_lost(state::ClientSide& side, Loss loss, const Context& context);

// The upstream takes no more bytes. Its response may still be read.
void upstream_write_failed(state::ClientSide& side);

// The same for the client: reading from it failed, or it takes no more bytes.
Action client_lost(state::ConnectionState& state);
Action client_write_failed(state::ConnectionState& state);

// The deadline has come.
Action expire(state::ConnectionState& state, const Context& context);

// When to call `expire`, CLOCK_MONOTONIC in milliseconds; INT64_MAX: never. In Connecting this is the limit of the
// whole exchange; an attempt to connect has its own deadline, which the engine does not know.
std::int64_t deadline_ms(const state::ConnectionState& state, const Rules& rules);

// How many bytes may be read into the flow's `unread` now; 0: none.
std::size_t wanted_from_client(const state::ConnectionState& state, const Rules& rules);
std::size_t wanted_from_upstream(const state::ClientSide& side, const Rules& rules);

// How many bytes of content, or of a tunnel, may go from the server's socket to the client's without being looked at,
// or the other way: nothing stands before them in either flow. 0: none. `note_unseen_*`: so many of them have.
std::uint64_t unseen_download(const state::ClientSide& side);
std::uint64_t unseen_upload(const state::ClientSide& side);
void note_unseen_download(state::ClientSide& side, std::uint64_t bytes, std::int64_t now_ms);
void note_unseen_upload(state::ClientSide& side, std::uint64_t bytes, std::int64_t now_ms);

// True: until a byte or an end is received, or the deadline comes, `advance` would change nothing and return `wait`.
// False if this is not obvious.
bool waits_for_bytes(const state::ConnectionState& state);

// Between two requests: nothing is under way in either direction, but part of a head, or pipelined requests, may have
// arrived.
bool at_boundary(const state::ConnectionState& state);
// At a boundary, with no part of a request received.
bool is_idle(const state::ConnectionState& state);

}  // namespace baton::engine
