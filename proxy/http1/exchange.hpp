// The HTTP/1 engine of one exchange: it forwards the request from the client's flow to the upstream's, and the response
// back. See engine/engine.hpp for how to run it, and for the connection around it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/engine/action.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/identity.hpp"
#include "proxy/http1/marks.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/routing/retry_budget.hpp"
#include "proxy/routing/route_table.hpp"
#include "proxy/state/state.hpp"

namespace baton::http1 {

using engine::Action;
using engine::Ends;
using engine::Loss;
using routing::Rules;

// How long a client may take to read our answer when we are done with it.
inline constexpr std::int64_t linger_ms = 30'000;       // total
inline constexpr std::int64_t linger_quiet_ms = 5'000;  // without the client sending anything

// What went wrong, for the log: we answered ourselves, or a server failed, or both.
struct Refusal {
  std::uint16_t status = 0;            // of our answer; 0: we sent none, a server failed
  std::string_view why;                // a literal; empty: nothing went wrong

  bool is_servers() const { return status == 0 || status == 502 || status == 504; }
};

// The head of a final response has come.
struct Answered {
  std::uint16_t status = 0;     // 0: none has
  std::int64_t elapsed_ms = 0;  // since the last byte of the request was written
};

// What the caller knows of the password that came with the exchange's request.
enum class Verdict : std::uint8_t {
  none,
  good,
  bad,
  busy,  // it cannot be verified now
};

// What `Action::authenticate` asks.
struct PasswordQuestion {
  std::shared_ptr<const routing::Passwords> passwords;
  std::string credentials;
};

// The tables of the head that this thread parsed last. A worker owns them, and reads here what the engine has noticed.
struct Scratch {
  RequestHead request;
  RequestMeaning meaning;
  ResponseHead response;
  std::vector<Field> trailers;
  // The exchange whose head `request` and `meaning` describe, so that it is not parsed twice, and where the head lay
  // then: they are views into the client's buffer, which moves as more arrives. Cleared when an exchange begins and
  // before each turn, because by then another exchange may have the same address.
  const state::Exchange* parsed_for = nullptr;
  const char* parsed_at = nullptr;
  std::string last_good_host;
  routing::Scratch routing;
  // Of the exchange that was given a route in the engine's last step; the reader clears it. Lives as long as
  // Context::routes.
  const routing::Route* route = nullptr;
  Marks marks;
  // The text that the route's rewrites have made for the message being written.
  struct Written {
    std::string target;
    std::string host;
    std::string fields;
  } written;
  std::uint64_t fields_dropped = 0;  // total, because of underscores in their names
  PasswordQuestion question;
  Refusal refusal;                     // of the engine's last step; the reader clears it
  Answered answered;                   // the same
};

class ServerNames {
 public:
  // Appends the server's host and port as configured, as a Host field that names it has them. Nothing: this
  // configuration has no such server.
  virtual void append_name_of(const state::UpstreamLeg& server, std::string& out) const = 0;

 protected:
  ~ServerNames() = default;
};

struct Context {
  const Rules* rules;  // of the exchange's route; without one, the global ones
  Scratch& scratch;
  std::string_view client_address;     // for X-Forwarded-For
  bool https = false;                  // the client's connection uses TLS
  std::string_view client_subject;     // of the client's certificate; empty: there is none
  std::int64_t now_ms = 0;             // CLOCK_MONOTONIC
  std::int64_t unix_us = 0;            // microseconds since 1970
  unsigned servers = 1;                // the number of upstream servers available to try
  const routing::Route* route = nullptr;               // of the exchange; null: none, or it is gone
  const state::ConnectionState* connection = nullptr;  // around the exchange; null: unknown
  const ServerNames* server_names = nullptr;           // null: unknown
  routing::RetryBudget* retry_budget = nullptr;        // of the exchange's upstream; null: none is kept
  bool closing = false;                // the response announces that it is the last on this connection
  const routing::RouteTable* routes = nullptr;    // null: no request is refused for its route
  const routing::ClientRules* clients = nullptr;  // null: all by default
  const state::SocketAddress* peer = nullptr;     // the connection's client; null only if `routes` is
  const routing::TrustedProxies* trusted = nullptr;  // null: the peer is not one of them
  bool maintenance = false;                          // switched on
  Verdict verdict = Verdict::none;
  // Whether the certificate that `client` has seen is one for the host; null: there is no TLS.
  bool (*certificate_covers)(const void* client, std::string_view host) = nullptr;
  const void* client = nullptr;
};

// Without an exchange: waits for a head, checks it once it is whole, and begins an exchange if it is good.
Action await_request(state::ConnectionState& state, const Context& context);
// Begins the exchange of a stream of HTTP/2, whose head is at the front of `client.unread`.
Action begin_on_stream(state::ClientSide& side, const Context& context);
// The deadline of await_request has passed.
Action expire_awaiting(state::ConnectionState& state, const Context& context);

Action advance(state::Exchange& exchange, const Ends& ends, const Context& context);
// The configuration has changed. A request not yet sent follows the new one; otherwise the exchange finishes as it
// began.
void reconfigured(state::Exchange& exchange);

// Like the functions of the same names in engine.hpp.
Action upstream_lost(state::Exchange& exchange, const Ends& ends, Loss loss, const Context& context);
void upstream_write_failed(state::Exchange& exchange, const Ends& ends);
Action expire(state::Exchange& exchange, const Ends& ends, const Context& context);
std::int64_t deadline_ms(const state::Exchange& exchange, const state::Flow& client, const state::Flow* upstream,
                         const Rules& rules);
// The limit for a whole exchange that began at `since_ms`, whatever its phase.
std::int64_t total_deadline_ms(std::int64_t since_ms, const Rules& rules);

// The head of a request that has not been sent yet; nullptr: the exchange is not `Connecting`, or its head is bad.
const RequestHead* unsent_head(const state::Exchange& exchange, const state::Buffer& unread, Scratch& scratch);

// The whole request has been forwarded, and no final response has come.
bool awaits_response(const state::Exchange& exchange);

// How many bytes the client's `unread` may hold.
std::uint64_t unread_bytes_max(const state::Exchange& exchange, const Rules& rules);

}  // namespace baton::http1
