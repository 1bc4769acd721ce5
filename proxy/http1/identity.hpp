// The client of a request: the peer of the connection, or the address that trusted proxies report in X-Forwarded-For
// or in Forwarded (RFC 7239). Believed is the first address from the right that is not trusted; what is left of it,
// its sender could have made up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proxy/http1/head.hpp"
#include "proxy/routing/client_rules.hpp"
#include "proxy/state/address.hpp"

namespace baton::http1 {

struct Identity {
  HeadError error;                          // if set, the rest means nothing
  std::vector<state::SocketAddress> chain;  // the client, then the trusted proxies in between; at least one address.
                                            // An address that is no IP address has the family `none`
  std::string_view scheme;                  // of the client's own request, "http" or "https"; empty: nobody says
  std::string_view host;                    // the host and port that it asked for; empty: nobody says

  const state::SocketAddress& client() const { return chain.front(); }
};

// `peer` is trusted. The views point into the head. Refused are a malformed Forwarded, and X-Forwarded-For and
// Forwarded that name different clients: one of the two is a client's invention, and nothing tells which.
void identify(const RequestHead& head, const state::SocketAddress& peer, const routing::TrustedProxies& trusted,
              Identity& identity);

// An IP address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
// `[2001:db8::1]:80`. Anything else has the family `none`.
state::SocketAddress parse_node(std::string_view text);

// The values of X-Forwarded-For and of Forwarded for a chain. `host` and `https` are those of the client's request; an
// empty host is left out.
void write_x_forwarded_for(const std::vector<state::SocketAddress>& chain, std::string& out);
void write_forwarded(const std::vector<state::SocketAddress>& chain, std::string_view host, bool https,
                     std::string& out);

}  // namespace baton::http1
