// The listening sockets of a process, bound from the configuration or inherited from a predecessor. Each address has
// one socket, which the workers share. SO_REUSEPORT is not used, so no accept queue is lost by closing one of several
// sockets.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "handoff/parties.hpp"
#include "handoff/unique_fd.hpp"
#include "proxy/state/address.hpp"

namespace baton::proxy {

struct BoundSocket {
  std::string listener;
  state::SocketAddress address;  // as bound, with the port that the kernel chose
  handoff::UniqueFd socket;
  bool bound_here = false;           // not inherited
  bool lent = false;                 // bound by the service manager, which owns its path
};

// The kernel takes the smaller of this and net.core.somaxconn.
inline constexpr int default_backlog = 4096;

// A socket that a listener asks for.
struct WantedSocket {
  std::string listener;
  state::SocketAddress address;
  bool either_family = false;  // one of the two that `:port` asks for
  int backlog = default_backlog;
  std::size_t written = 0;  // the sockets of one address as written stand together, and share a port chosen for them
};

// The sockets of one address as written, which come first in `wanted`.
std::span<const WantedSocket> first_written(std::span<const WantedSocket> wanted);

// Whether the kernel is to choose the port, and the address with port 0.
bool has_any_port(const state::SocketAddress& address);
state::SocketAddress with_any_port(state::SocketAddress address);

// The address a socket is bound to; an address without a family if it cannot be determined.
state::SocketAddress bound_address(int socket);

// A service manager's socket on [::] often accepts IPv4 too, which leaves nothing to bind for `wanted`, an address on
// 0.0.0.0.
bool serves_as_well(int socket, const state::SocketAddress& wanted);

// All sockets that the listeners ask for; `:port` asks for one per family. Looks up names, which may take long. Throws
// std::runtime_error naming what has no address.
std::vector<WantedSocket> look_up_listeners(const config::Config& config);

// Returns one socket for each wanted one: taken from `inherited` where the address is the same, newly bound otherwise.
// One whose port the kernel chooses is the same if it is of the same listener and host, so its port stays. Sockets left
// in `inherited` were not asked for. Throws std::runtime_error naming the address. A Unix path on which no process
// listens any more is replaced. `lent` are the addresses of sockets that the service manager bound, for us or for a
// predecessor.
std::vector<BoundSocket> bind_listeners(const std::vector<WantedSocket>& wanted,
                                        std::vector<handoff::InheritedSocket>& inherited,
                                        const std::vector<std::string>& lent = {});

// The addresses of those sockets that are lent.
std::vector<std::string> lent_addresses(const std::vector<BoundSocket>& sockets);

// The addresses that a configured one stands for: `:port` means every address of both families, or of one if the kernel
// has no IPv6. Throws std::runtime_error if a name cannot be looked up.
std::vector<state::SocketAddress> listening_addresses(const config::Address& address);

// Binds one address and listens on it. `mode` is the file mode of a Unix socket.
handoff::UniqueFd bind_socket(const state::SocketAddress& address, unsigned mode, int backlog = default_backlog);

// The same for several addresses with one port. If it is 0, the kernel chooses one that is free for all, and
// `addresses` have it afterwards.
std::vector<handoff::UniqueFd> bind_with_one_port(std::span<state::SocketAddress> addresses, unsigned mode,
                                                  int backlog = default_backlog);

// Removes the path of a Unix socket if it is bound to the socket we hold and is not lent.
void unlink_path(const BoundSocket& socket);
// Whether the name no longer exists.
bool is_gone(const std::string& path);

}  // namespace baton::proxy
