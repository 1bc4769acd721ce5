// The HTTP/1 engine of one exchange: its request goes from the client's flow to the upstream's, its response comes back.
// See engine/engine.hpp for how it is run, and for the connection around it.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/engine/action.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/routing/route_table.hpp"
#include "proxy/state/state.hpp"

namespace baton::http1 {

using engine::Action;
using engine::Ends;
using engine::Loss;

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

// The tables of the head that was parsed last in this thread. Belongs to a worker, who also reads here what the engine has
// noticed.
struct Scratch {
  RequestHead request;
  RequestMeaning meaning;
  ResponseHead response;
  std::vector<Field> trailers;
  // Whose head `request` and `meaning` are, so that it is not parsed twice, and where it lay then: they are views into the
  // client's buffer, which moves as more comes. Cleared when an exchange begins and before each turn: another one may have
  // the same address by then.
  const state::Exchange* parsed_for = nullptr;
  const char* parsed_at = nullptr;
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
  const routing::RouteTable* routes = nullptr;    // none: every request has somewhere to go
};

// Without an exchange: a head that is awaited until it is whole and good, and then begins one.
Action await_request(state::ConnectionState& state, const Context& context);
// The deadline for that has come.
Action expire_awaiting(state::ConnectionState& state, const Context& context);

Action advance(state::Exchange& exchange, const Ends& ends, const Context& context);
// The configuration has changed. Until a request was sent it belongs to that of now; afterwards it finishes as it began.
void reconfigured(state::Exchange& exchange);

// What engine.hpp says of the functions with these names.
Action upstream_lost(state::Exchange& exchange, const Ends& ends, Loss loss, const Context& context);
void upstream_write_failed(state::Exchange& exchange, const Ends& ends);
Action expire(state::Exchange& exchange, const Ends& ends, const Context& context);
std::int64_t deadline_ms(const state::Exchange& exchange, const state::Flow& client, const state::Flow* upstream,
                         const Rules& rules);
// When an exchange that began then is over, wherever it stands.
std::int64_t total_deadline_ms(std::int64_t since_ms, const Rules& rules);

// How many bytes the client's `unread` may hold.
std::uint64_t unread_bytes_max(const state::Exchange& exchange, const Rules& rules);

}  // namespace baton::http1
