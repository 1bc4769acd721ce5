// Who may ask or connect, by address: compiled from config::Access.
#pragma once

#include <optional>

#include "config/gate.hpp"
#include "proxy/routing/address_set.hpp"

namespace baton::routing {

struct Access {
  std::optional<AddressSet> allow;  // nothing: everyone
  AddressSet deny;                  // wins

  Access() = default;
  explicit Access(const config::Access& access) : deny(access.deny) {
    if (access.allow) allow.emplace(*access.allow);
  }

  bool admits(const state::SocketAddress& client) const {
    return !deny.contains(client) && (!allow || allow->contains(client));
  }
};

}  // namespace baton::routing
