// What the configuration says of clients, prepared for the data path.
#pragma once

#include <string>

#include "config/client_rules.hpp"
#include "proxy/routing/address_set.hpp"

namespace baton::routing {

// Whose word on the client counts.
class TrustedProxies {
 public:
  TrustedProxies() = default;  // nobody's
  explicit TrustedProxies(const config::TrustedProxies& from) : networks_(from.networks), unix_(from.unix_sockets) {}

  bool trusts(const state::SocketAddress& peer) const {
    return peer.family == state::Family::unix_path ? unix_ : networks_.contains(peer);
  }
  bool trusts_anyone() const { return unix_ || !networks_.empty(); }

 private:
  AddressSet networks_;
  bool unix_ = false;
};

// How requests are marked on their way.
struct ClientRules {
  config::ForwardedFields forwarded;
  std::string request_id_header;    // empty: requests get no id
  bool trusts_request_ids = false;  // a well-formed one of the client is kept
  bool propagates_traces = false;

  bool has_ids() const { return !request_id_header.empty(); }
  bool is_plain() const {
    return forwarded.x_forwarded && !forwarded.forwarded && !forwarded.x_real_ip && !has_ids() && !propagates_traces;
  }
};

}  // namespace baton::routing
