#include "proxy/server/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>

#include "handoff/insist.hpp"
#include "proxy/worker/settings.hpp"

namespace baton::proxy {

namespace {

[[noreturn]] void fail(const state::SocketAddress& address, const std::string& what) {
  throw std::runtime_error("cannot listen on " + address.text() + ": " + what);
}

std::string advice(int error) {
  if (error == EADDRINUSE) return " (another program listens there)";
  if (error == EACCES) return " (ports below 1024 need CAP_NET_BIND_SERVICE; a Unix path needs a writable folder)";
  if (error == EADDRNOTAVAIL) return " (this machine does not have the address)";
  return {};
}

// Does any process accept on the path? If not, a process that is gone left it behind.
bool is_abandoned(const state::SocketAddress& address) {
  struct stat info{};
  if (::lstat(address.path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  const handoff::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 && errno == ECONNREFUSED;
}

}  // namespace

std::vector<state::SocketAddress> listening_addresses(const config::Address& address) {
  if (!address.host.empty() || !address.unix_path.empty()) return look_up(address);
  std::vector<state::SocketAddress> both(1);
  both[0].family = state::Family::ipv4;
  both[0].port = address.port;
  if (handoff::UniqueFd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)); probe) {
    both.push_back(both[0]);
    both[1].family = state::Family::ipv6;
  }
  return both;
}

namespace {

// The file of a Unix socket gets the socket's mode less the bits that our umask clears, which are restored here.
// Changing the umask instead would affect every thread and the files that it creates.
void give_mode(const std::string& path, unsigned mode) {
  const handoff::UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISSOCK(info.st_mode) || (info.st_mode & 0777) == mode) return;
  ::chmod(("/proc/self/fd/" + std::to_string(file.get())).c_str(), mode);
}

}  // namespace

handoff::UniqueFd bind_socket(const state::SocketAddress& address, unsigned mode, int backlog) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  handoff::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) fail(address, std::strerror(errno));
  const int on = 1;
  if (address.family == state::Family::unix_path) {
    if (is_abandoned(address)) ::unlink(address.path.c_str());
    ::fchmod(socket.get(), mode);
  } else {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (address.family == state::Family::ipv6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    fail(address, std::strerror(errno) + advice(errno));
  }
  if (address.family == state::Family::unix_path) give_mode(std::string(address.path), mode);
  if (::listen(socket.get(), backlog) != 0) fail(address, std::strerror(errno) + advice(errno));
  return socket;
}

std::vector<handoff::UniqueFd> bind_with_one_port(std::span<state::SocketAddress> addresses, unsigned mode,
                                                  int backlog) {
  std::vector<handoff::UniqueFd> sockets;
  const bool is_chosen = !addresses.empty() && has_any_port(addresses.front());
  // The port that is chosen for the first may be taken for another.
  for (int attempts_left = is_chosen ? 32 : 1; sockets.size() < addresses.size();) {
    state::SocketAddress& address = addresses[sockets.size()];
    if (is_chosen) address.port = sockets.empty() ? 0 : addresses.front().port;
    try {
      sockets.push_back(bind_socket(address, mode, backlog));
    } catch (const std::runtime_error&) {
      if (sockets.empty() || --attempts_left == 0) {
        for (std::size_t i = 0; i < sockets.size(); ++i) {
          unlink_path({.listener = {}, .address = addresses[i], .socket = std::move(sockets[i]), .bound_here = true});
        }
        throw;
      }
      sockets.clear();
      continue;
    }
    if (is_chosen && sockets.size() == 1) address = bound_address(sockets.front().get());
  }
  return sockets;
}

bool has_any_port(const state::SocketAddress& address) {
  return address.port == 0 && address.family != state::Family::unix_path;
}

state::SocketAddress with_any_port(state::SocketAddress address) {
  address.port = 0;
  return address;
}

std::span<const WantedSocket> first_written(std::span<const WantedSocket> wanted) {
  std::size_t count = 1;
  while (count < wanted.size() && wanted[count].written == wanted.front().written) ++count;
  return wanted.first(count);
}

namespace {

// `:port` asks for both families, and one inherited socket may be both.
bool is_covered(const WantedSocket& wanted, const std::vector<handoff::InheritedSocket>& inherited) {
  return wanted.either_family && std::any_of(inherited.begin(), inherited.end(), [&](const auto& socket) {
           return socket.descriptor && serves_as_well(socket.descriptor.get(), wanted.address);
         });
}

handoff::InheritedSocket* find_inherited(const WantedSocket& wanted, std::vector<handoff::InheritedSocket>& inherited) {
  const bool is_any = has_any_port(wanted.address);
  const std::string text = wanted.address.text();
  const auto is_it = [&](const handoff::InheritedSocket& socket) {
    if (!socket.descriptor || socket.name.starts_with('@')) return false;
    if (!is_any) return socket.address == text;
    return socket.name == wanted.listener && with_any_port(bound_address(socket.descriptor.get())) == wanted.address;
  };
  const auto found = std::ranges::find_if(inherited, is_it);
  return found == inherited.end() ? nullptr : &*found;
}

BoundSocket take(const WantedSocket& wanted, handoff::InheritedSocket& inherited,
                 const std::vector<std::string>& lent) {
  // Its creator may have left it blocking; a worker never blocks.
  const int fd = inherited.descriptor.get();
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  (void)::listen(fd, wanted.backlog);  // it listens already; this only changes its backlog
  const bool is_any = has_any_port(wanted.address);
  const bool is_lent = std::ranges::find(lent, inherited.address) != lent.end();
  return {wanted.listener, is_any ? bound_address(fd) : wanted.address, std::move(inherited.descriptor), false,
          is_lent};
}

// The sockets of one address as written; `bound` has a place for each.
void bind_group(std::span<const WantedSocket> group, std::vector<handoff::InheritedSocket>& inherited,
                const std::vector<std::string>& lent, std::span<std::optional<BoundSocket>> bound) {
  std::vector<std::size_t> missing;
  std::uint16_t port = group.front().address.port;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (handoff::InheritedSocket* const found = find_inherited(group[i], inherited)) {
      bound[i] = take(group[i], *found, lent);
      port = bound[i]->address.port;
    } else if (!is_covered(group[i], inherited)) {
      missing.push_back(i);
    }
  }
  std::vector<state::SocketAddress> addresses;
  for (const std::size_t i : missing) {
    addresses.push_back(group[i].address);
    addresses.back().port = port;
  }
  auto sockets = bind_with_one_port(addresses, 0666, group.front().backlog);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    bound[missing[i]] = {group[missing[i]].listener, addresses[i], std::move(sockets[i]), true};
  }
}

// Ports that are written first, so that the kernel chooses none of them.
void bind_each(const std::vector<WantedSocket>& wanted, std::vector<handoff::InheritedSocket>& inherited,
               const std::vector<std::string>& lent, std::vector<std::optional<BoundSocket>>& bound) {
  if (wanted.size() > config::listening_sockets_max) {
    fail(wanted[config::listening_sockets_max].address, "an upgrade could not pass on this many sockets");
  }
  for (const bool any_port : {false, true}) {
    for (std::size_t i = 0; i < wanted.size();) {
      const auto group = first_written(std::span(wanted).subspan(i));
      if (has_any_port(group.front().address) == any_port) {
        bind_group(group, inherited, lent, std::span(bound).subspan(i, group.size()));
      }
      i += group.size();
    }
  }
}

}  // namespace

state::SocketAddress bound_address(int socket) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length) != 0) return {};
  return state::SocketAddress::from_sockaddr(name, length);
}

bool serves_as_well(int socket, const state::SocketAddress& wanted) {
  const state::SocketAddress every_v6{.family = state::Family::ipv6, .port = wanted.port, .path = {}};
  const state::SocketAddress every_v4{.family = state::Family::ipv4, .port = wanted.port, .path = {}};
  int v6_only = 1;
  socklen_t length = sizeof v6_only;
  return wanted == every_v4 && bound_address(socket) == every_v6 &&
         ::getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &length) == 0 && v6_only == 0;
}

std::vector<WantedSocket> look_up_listeners(const config::Config& config) {
  std::vector<WantedSocket> wanted;
  std::size_t written = 0;
  for (const config::Listener& listener : config.listeners) {
    for (const config::Address& bind : listener.bind) {
      ++written;
      const bool either_family = bind.host.empty() && bind.unix_path.empty();
      for (auto& address : listening_addresses(bind)) {
        wanted.push_back(
            {listener.name, std::move(address), either_family, static_cast<int>(listener.backlog), written});
      }
    }
  }
  return wanted;
}

std::vector<BoundSocket> bind_listeners(const std::vector<WantedSocket>& wanted,
                                        std::vector<handoff::InheritedSocket>& inherited,
                                        const std::vector<std::string>& lent) {
  std::vector<std::optional<BoundSocket>> bound(wanted.size());
  try {
    bind_each(wanted, inherited, lent, bound);
  } catch (...) {
    for (const auto& socket : bound) {
      if (socket && socket->bound_here) unlink_path(*socket);
    }
    throw;
  }
  std::vector<BoundSocket> sockets;
  for (auto& socket : bound) {
    if (socket) sockets.push_back(*std::move(socket));
  }
  return sockets;
}

std::vector<std::string> lent_addresses(const std::vector<BoundSocket>& sockets) {
  std::vector<std::string> addresses;
  for (const BoundSocket& socket : sockets) {
    if (socket.lent) addresses.push_back(socket.address.text());
  }
  return addresses;
}

bool is_gone(const std::string& path) {
  struct stat file{};
  return ::lstat(path.c_str(), &file) != 0 && errno == ENOENT;
}

void unlink_path(const BoundSocket& socket) {
  if (socket.lent || socket.address.family != state::Family::unix_path) return;
  // Only if the path is still ours: a later process may have bound it again.
  const bool is_ours =
      handoff::insist([&] { return bound_address(socket.socket.get()).path == socket.address.path; });
  if (is_ours) ::unlink(socket.address.path.c_str());
}

}  // namespace baton::proxy
