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

namespace {

// `:port` asks for both families, and one inherited socket may be both.
bool is_covered(const WantedSocket& wanted, const std::vector<handoff::InheritedSocket>& inherited) {
  return wanted.either_family && std::any_of(inherited.begin(), inherited.end(), [&](const auto& socket) {
           return socket.descriptor && serves_as_well(socket.descriptor.get(), wanted.address);
         });
}

void bind_each(const std::vector<WantedSocket>& wanted, std::vector<handoff::InheritedSocket>& inherited,
               const std::vector<std::string>& lent, std::vector<BoundSocket>& sockets) {
  for (const WantedSocket& one : wanted) {
    const state::SocketAddress& address = one.address;
    if (sockets.size() == config::listening_sockets_max) fail(address, "an upgrade could not pass on this many sockets");
    const std::string text = address.text();
    const auto found = std::find_if(inherited.begin(), inherited.end(), [&](const auto& socket) {
      return socket.descriptor && !socket.name.starts_with('@') && socket.address == text;
    });
    if (found != inherited.end()) {
      // Its creator may have left it blocking; a worker never blocks.
      const int fd = found->descriptor.get();
      ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
      (void)::listen(fd, one.backlog);  // it listens already; this only changes its backlog
      const bool is_lent = std::find(lent.begin(), lent.end(), text) != lent.end();
      sockets.push_back({one.listener, address, std::move(found->descriptor), false, is_lent});
    } else if (!is_covered(one, inherited)) {
      sockets.push_back({one.listener, address, bind_socket(address, 0666, one.backlog), true});
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
  for (const config::Listener& listener : config.listeners) {
    for (const config::Address& bind : listener.bind) {
      const bool either_family = bind.host.empty() && bind.unix_path.empty();
      for (auto& address : listening_addresses(bind))
        wanted.push_back({listener.name, std::move(address), either_family, static_cast<int>(listener.backlog)});
    }
  }
  return wanted;
}

std::vector<BoundSocket> bind_listeners(const std::vector<WantedSocket>& wanted,
                                        std::vector<handoff::InheritedSocket>& inherited,
                                        const std::vector<std::string>& lent) {
  std::vector<BoundSocket> sockets;
  try {
    bind_each(wanted, inherited, lent, sockets);
  } catch (...) {
    for (const BoundSocket& socket : sockets) {
      if (socket.bound_here) unlink_path(socket);
    }
    throw;
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
