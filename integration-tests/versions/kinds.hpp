// One connection of each kind, each with something of everything under way: what is said before a handover, and what
// must come of it afterwards, to the byte.
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
  bool half_closed = false;                     // the client has said all it will ever say
  std::string said;                             // by the client, before
  std::string heard_through;                    // the client has heard so far, up to and including this; empty: nothing
  std::function<void(harness::Client&)> go_on;  // with expectations

  bool is_raw() const { return clients::entry(kind).listener == clients::Listener::tcp; }
};

// The kinds of the catalogue of which an idle one and everything that can be under way is in the recordings.
const std::vector<ConnectionKind>& kinds();

// The kind that a state comes from. Throws Failure: from none of them.
clients::Kind kind_of(const state::ConnectionState& state);

// The origin's answers for them. Four of them wait at its gate.
void answer_every_kind(harness::Origin& origin);
inline constexpr int arrivals_at_gate = 4;

// One listener for HTTP, called `web`, and one for raw TCP, called `raw`, before one upstream, called `app`.
harness::Settings settings_for_every_kind(const harness::Origin& origin, const harness::Address& web,
                                          const harness::Address& raw);

// Live clients, one of each kind, in the order of `kinds`.
class EveryKind {
 public:
  // Called after each client has connected and said what it says: whoever plays the proxy makes it heard.
  using Serve = std::function<void(const ConnectionKind&, harness::Client&)>;

  EveryKind(harness::Origin& origin, const harness::Address& web, const harness::Address& raw, const Serve& serve = {});

  // Lets the origin go on, and each client as its kind says.
  void go_on();
  harness::Client& client(clients::Kind kind);

 private:
  harness::Origin& origin_;  // outlives this
  std::list<harness::Client> clients_;
};

}  // namespace baton::versions
