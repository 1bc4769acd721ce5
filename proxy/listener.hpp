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
};

// Every socket that the listeners ask for; `:port` is one for each family. Taken from `inherited` where the address is
// the same, bound otherwise. Throws std::runtime_error naming the address. A Unix path that nobody listens on any more
// is replaced.
std::vector<BoundSocket> bind_listeners(const config::Config& config, std::vector<handoff::InheritedSocket>& inherited);

// One address, for listening. `mode` of a Unix socket's file.
handoff::UniqueFd bind_socket(const state::SocketAddress& address, unsigned mode);

// Removes the paths of Unix sockets that are bound to what we hold.
void unlink_path(const BoundSocket& socket);

}  // namespace baton::proxy
