// The HTTP/1 engine: one connection's exchanges as a machine over ConnectionState. No I/O and no clock: bytes that
// came are in the legs' `unread`, bytes to send in `unsent`, time is an argument. Whoever runs it reads and writes as
// `wants_*` say, calls `advance` until it asks for nothing, and does what it asks. Between any two calls the state is
// whole and can be frozen.
//
//   AwaitingRequest ──head──▶ Connecting ──connected──▶ Relaying ──both ended──▶ AwaitingRequest
//        │ bad, late              │ no server                │ 101 ─▶ Tunnel
//        └────────▶ Answering ◀───┴──────lost, late──────────┘
//                       └──sent──▶ Lingering ──client ended, or late──▶ closed
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/state/state.hpp"

namespace baton::http1 {

// From the configuration; milliseconds and bytes, 0 = no limit.
struct Rules {
  std::uint64_t head_bytes = 32 * 1024;
  std::uint64_t uri_bytes = 8 * 1024;
  std::uint64_t fields = 100;
  std::uint64_t body_bytes = 0;
  std::uint64_t requests_per_connection = 0;
  std::uint64_t buffer_bytes = 32 * 1024;
  std::int64_t head_ms = 15'000;
  std::int64_t body_ms = 60'000;
  std::int64_t send_ms = 60'000;
  std::int64_t idle_ms = 75'000;
  std::int64_t response_ms = 60'000;
  std::int64_t response_body_ms = 300'000;
  std::int64_t total_ms = 0;
  std::int64_t tunnel_idle_ms = 3'600'000;
  bool keep_access = false;            // fill AccessRecord's texts
  bool underscores = false;            // fields of requests whose names have one are passed on
};

// A client that we have answered and are done with gets this long to read it.
inline constexpr std::int64_t linger_ms = 30'000;       // in all
inline constexpr std::int64_t linger_quiet_ms = 5'000;  // without sending anything

// An answer of our own, and why, for the log.
struct Refusal {
  std::uint16_t status = 0;            // 0: there was none
  std::string_view why;                // a literal
};

// The tables of the head that was parsed last in this thread; a cache, so that a head is not parsed twice within one
// pass. Belongs to a worker, who also reads here what the engine has noticed.
struct Scratch {
  RequestHead request;
  RequestMeaning meaning;
  ResponseHead response;
  std::vector<Field> trailers;
  const char* parsed_at = nullptr;
  std::uint64_t parsed_for = 0;
  std::uint64_t parsed_request = 0;
  std::uint64_t fields_dropped = 0;    // for the underscores in their names, in all
  Refusal refusal;                     // of the last step of the engine; whoever reads it clears it
};

struct Context {
  const Rules& rules;
  Scratch& scratch;
  std::string_view client_address;     // for X-Forwarded-For
  bool https = false;                  // how the client speaks to us
  std::string_view client_subject;     // of the client's certificate; empty: there is none
  std::int64_t now_ms = 0;             // CLOCK_MONOTONIC
  std::int64_t unix_us = 0;            // since 1970
  unsigned servers = 1;                // of the upstream: how many there are to try
  bool closing = false;                // the response says that it is the last on this connection
};

// What the engine cannot do itself. After doing it, call `advance` again (not after `wait`, `close` and `reset`).
enum class Ask {
  wait,                   // for bytes, room, or the deadline
  connect,                // an upstream leg for the request in Connecting; then set state.upstream
  park,                   // the upstream leg is idle and reusable: take it out of the state
  close_upstream,         // it has served its exchange and cannot be used again: the same, and end it in good order
  exchange_ended,         // log `access`; the connection is at a boundary, or lingers
  end_client_writing,     // shutdown(SHUT_WR) of the client leg
  end_upstream_writing,   // the same of the upstream leg
  close,                  // the connection is over
  reset,                  // over, and nobody must take what it has for the whole: end both legs by RST
};

// The engine gives an upstream leg up by clearing state.upstream: whoever runs it then resets that socket, so that the
// server does not take a part for the whole.
Ask advance(state::ConnectionState& state, const Context& context);

// Why there is no upstream leg, or no more.
enum class Loss {
  unreachable,            // no server could be connected, or none is left to try
  connect_failed,
  connect_timed_out,
  reset,                  // reading failed
};
Ask upstream_lost(state::ConnectionState& state, Loss loss, const Context& context);

// The upstream takes no more bytes. Its response may still be read.
void upstream_write_failed(state::ConnectionState& state);

// The same of the client: reading failed, or it takes no more bytes.
Ask client_lost(state::ConnectionState& state);
Ask client_write_failed(state::ConnectionState& state);

// The deadline has come.
Ask expire(state::ConnectionState& state, const Context& context);

// When to call `expire`, CLOCK_MONOTONIC; INT64_MAX: never. In Connecting this is the limit of the whole exchange; an
// attempt to connect has one of its own, which is not the engine's.
std::int64_t deadline_ms(const state::ConnectionState& state, const Rules& rules);

// How many bytes may be read into the leg's `unread` now; 0: none.
std::size_t wanted_from_client(const state::ConnectionState& state, const Rules& rules);
std::size_t wanted_from_upstream(const state::ConnectionState& state, const Rules& rules);

// Between two requests: nothing is on its way in either direction, but part of a head, or pipelined requests, may be
// here.
bool at_boundary(const state::ConnectionState& state);
// At a boundary, and nothing of a request is here.
bool is_idle(const state::ConnectionState& state);

}  // namespace baton::http1
