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
#include "proxy/state/state.hpp"

namespace baton::versions {

struct ConnectionKind {
  clients::Kind kind;
  std::string since = "0.1.0";                  // the first version that knows this kind
  int arrivals = 0;                             // of its exchanges at the origin's gate
  bool half_closed = false;                     // the client has sent all that it will ever send
  std::string said;                             // by the client, before the handover
  std::vector<std::string> forwarded = {};      // of this, to a server each; empty: everything to one
  std::string heard_through;                    // what the client has received ends with this; empty: nothing
  std::function<void(harness::Client&)> go_on;  // with expectations

  bool is_raw() const { return clients::entry(kind).listener == clients::Listener::tcp; }
};

// The version that is being built, until it is released.
inline constexpr const char* unreleased = "unreleased";

// The kinds of the catalogue that the recordings of a version contain: an idle connection and everything that can be in
// flight.
std::vector<ConnectionKind> kinds_of(const std::string& version);

// The kind to which a state belongs. Throws Failure if it belongs to none.
clients::Kind kind_of(const state::ConnectionState& state);

// The origin's answers to their requests. Some of them wait at its gate.
void answer_every_kind(harness::Origin& origin);

// One listener for HTTP, called `web`, and one for raw TCP, called `raw`, before one upstream, called `app`.
harness::Settings settings_for_every_kind(const harness::Origin& origin, const harness::Address& web,
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
  harness::Client& client(clients::Kind kind);

 private:
  const std::vector<ConnectionKind> kinds_;
  harness::Origin& origin_;  // outlives this
  std::list<harness::Client> clients_;
};

}  // namespace baton::versions
