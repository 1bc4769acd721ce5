// Looks up names.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "proxy/state/address.hpp"

namespace baton::process {

// All addresses: one for an IP address or a Unix path, several for a name. No host means every address of this machine,
// which a client reaches on loopback. May take as long as a resolver takes. The error is the resolver's.
std::expected<std::vector<state::SocketAddress>, std::string> look_up(const config::Address& address);

}  // namespace baton::process
