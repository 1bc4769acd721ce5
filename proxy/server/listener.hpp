// The listening sockets of a process: bound from the configuration, or inherited from a predecessor. One socket for
// each address, shared by the workers; no SO_REUSEPORT, so no queue is ever lost with one of several sockets.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "handoff/parties.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/state/address.hpp"

namespace baton::proxy {

struct BoundSocket {
  std::string listener;
  state::SocketAddress address;      // as asked for, port 0 included
  handoff::UniqueFd socket;
  bool bound_here = false;           // not inherited
  bool lent = false;                 // bound by the service manager, whose affair its path is
};

// What a listener asks for.
struct WantedSocket {
  std::string listener;
  state::SocketAddress address;
  bool either_family = false;  // one of the two that `:port` asks for
};

// What a socket is bound to; an address of no family: it cannot be told.
state::SocketAddress bound_address(int socket);

// A service manager's socket on [::] often accepts IPv4 as well, which leaves nothing to bind on 0.0.0.0, the `wanted`.
bool serves_as_well(int socket, const state::SocketAddress& wanted);

// All that the listeners ask for; `:port` is one for each family. Looks names up, which may take long. Throws
// std::runtime_error naming what has no address.
std::vector<WantedSocket> look_up_listeners(const config::Config& config);

// A socket for each. Taken from `inherited` where the address is
// the same, bound otherwise; what stays in `inherited` was not asked for. Throws std::runtime_error naming the address.
// A Unix path that nobody listens on any more is replaced. `lent` are the addresses of sockets that the service manager
// bound, for us or for a predecessor.
std::vector<BoundSocket> bind_listeners(const std::vector<WantedSocket>& wanted,
                                        std::vector<handoff::InheritedSocket>& inherited,
                                        const std::vector<std::string>& lent = {});

// Of those that are lent.
std::vector<std::string> lent_addresses(const std::vector<BoundSocket>& sockets);

// The addresses that a configured one stands for: `:port` means every address of both families; without IPv6 in the kernel,
// of one. Throws std::runtime_error where a name cannot be looked up.
std::vector<state::SocketAddress> listening_addresses(const config::Address& address);

// One address, for listening. `mode` of a Unix socket's file.
handoff::UniqueFd bind_socket(const state::SocketAddress& address, unsigned mode);

// Removes the path of a Unix socket if it is bound to what we hold, and not lent.
void unlink_path(const BoundSocket& socket);
// Nothing has that name any more.
bool is_gone(const std::string& path);

}  // namespace baton::proxy
