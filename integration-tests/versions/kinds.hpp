// One connection of each kind, together covering everything that can be in flight: what is sent before a handover, and
// the exact bytes that must follow it.
#pragma once

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "clients/kinds.hpp"
#include "harness/client.hpp"
#include "harness/origin.hpp"
#include "harness/settings.hpp"
#include "http2_server.hpp"
#include "proxy/state/state.hpp"

namespace baton::versions {

// What a server is sent by a proxy for a connection.
struct Forwarded {
  std::string said;
  bool to_http2 = false;
};

struct ConnectionKind {
  clients::Kind kind;
  bool to_http2 = false;                        // it has a connection to a server of HTTP/2
  std::string since = "0.1.0";                  // the first version that knows this kind
  int arrivals = 0;                             // of its exchanges at the origin's gate
  bool half_closed = false;                     // the client has sent all that it will ever send
  std::string said;                             // by the client, before the handover
  std::vector<Forwarded> forwarded = {};        // to a server each; empty: all that was said, to one
  std::string heard_through;                    // what the client has received ends with this; empty: nothing
  std::function<void(harness::Client&)> go_on;  // with expectations

  std::string name() const;
  bool is_raw() const { return clients::entry(kind).listener == clients::Listener::tcp; }
};

// The version that is being built, until it is released.
inline constexpr const char* unreleased = "unreleased";

// The body of uploads and downloads, of which so much has passed.
const std::string& body_of_kinds();
inline constexpr std::size_t passed_bytes = 400;
std::string end_of_passed();
// And so much of the next frame of a server of HTTP/2.
inline constexpr std::size_t cut_frame_bytes = 200;

// The kinds of the catalogue that the recordings of a version contain: an idle connection and everything that can be in
// flight.
std::vector<ConnectionKind> kinds_of(const std::string& version);

// The name of the kind to which a state belongs. Throws Failure if it belongs to none.
std::string name_of(const state::ConnectionState& state);

// The servers of their requests. Some of the answers wait at the origin's gate.
struct Servers {
  Servers();

  harness::Origin origin;
  Http2Server http2{origin.gate()};
};

// One listener for HTTP, called `web`, and one for raw TCP, called `raw`, before the origin, called `app`. The server
// of HTTP/2 has two upstreams, `streams` and `pooled`, with paths that begin so.
harness::Settings settings_for_every_kind(const Servers& servers, const harness::Address& web,
                                          const harness::Address& raw);

// Live clients, one of each kind, in the order of `kinds_of`.
class EveryKind {
 public:
  // Called after each client has connected and sent its bytes, so that a test that plays the proxy can forward them.
  using Serve = std::function<void(const ConnectionKind&, harness::Client&)>;

  EveryKind(const std::string& version, harness::Origin& origin, const harness::Address& web,
            const harness::Address& raw, const Serve& serve = {});

  // Lets the origin continue, and each client as its kind says.
  void go_on();
  harness::Client& client(const std::string& name);
  harness::Client& client(clients::Kind kind) { return client(clients::name_of(kind)); }

 private:
  const std::vector<ConnectionKind> kinds_;
  harness::Origin& origin_;  // outlives this
  std::list<harness::Client> clients_;
};

}  // namespace baton::versions
