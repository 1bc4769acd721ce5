#include "harness/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <random>
#include <utility>
#include <vector>

#include "harness/deadline.hpp"

namespace baton::harness {

namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const Address& address) {
  SocketAddress out;
  if (!address.unix_path.empty()) {
    auto* un = reinterpret_cast<sockaddr_un*>(&out.storage);
    if (address.unix_path.size() >= sizeof un->sun_path) throw Failure("path too long: " + address.unix_path);
    un->sun_family = AF_UNIX;
    std::memcpy(un->sun_path, address.unix_path.c_str(), address.unix_path.size() + 1);
    out.length = sizeof *un;
  } else if (address.host.find(':') != std::string::npos) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.host.c_str(), &in6->sin6_addr);
    out.length = sizeof *in6;
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&out.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.host.c_str(), &in->sin_addr);
    out.length = sizeof *in;
  }
  return out;
}

std::uint16_t bound_port(int fd) {
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  ::getsockname(fd, bound.get(), &bound.length);
  if (bound.storage.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port);
  if (bound.storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port);
  return 0;
}

// Takes an abstract name that one process at a time can hold, until it ends. Nothing if another has it.
Fd reserve(std::uint16_t port) {
  const std::string name = '\0' + std::string("baton-test-port-") + std::to_string(port);
  sockaddr_un at{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(at.sun_path, name.data(), name.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), length) != 0) fd.close();
  return fd;
}

Fd try_connect(const Address& address) {
  SocketAddress to = socket_address(address);
  Fd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd && ::connect(fd.get(), to.get(), to.length) != 0) fd.close();
  return fd;
}

}  // namespace

std::string Address::text() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address loopback(std::uint16_t port) {
  return {"127.0.0.1", port, {}};
}
Address loopback_v6(std::uint16_t port) {
  return {"::1", port, {}};
}
Address unix_socket(std::string path) {
  return {{}, 0, std::move(path)};
}

std::uint16_t free_port() {
  static std::mutex mutex;
  static std::vector<Fd> reservations;
  std::lock_guard lock(mutex);
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> ports(10'000, 32'000);
  while (true) {
    Address address = loopback(static_cast<std::uint16_t>(ports(random)));
    Fd reservation = reserve(address.port);
    if (!reservation || !can_listen_on(address)) continue;
    reservations.push_back(std::move(reservation));
    return address.port;
  }
}

Fd listen_on(Address& address, int backlog) {
  SocketAddress at = socket_address(address);
  Fd fd(::socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd.get(), at.get(), at.length) != 0 || ::listen(fd.get(), backlog) != 0)
    throw Failure("cannot listen on " + address.text() + ": " + std::strerror(errno));
  if (address.unix_path.empty()) address.port = bound_port(fd.get());
  return fd;
}

bool can_listen_on(Address address) {
  try {
    listen_on(address, 1);
    return true;
  } catch (const Failure&) {
    return false;
  }
}

Fd connect_to(const Address& address) {
  Fd fd = try_connect(address);
  if (!fd) throw Failure("cannot connect to " + address.text() + ": " + std::strerror(errno));
  return fd;
}

bool is_listening(const Address& address) {
  return static_cast<bool>(try_connect(address));
}

FullBacklog::FullBacklog() : address_(loopback(0)), listener_(listen_on(address_, 0)) {
  SocketAddress to = socket_address(address_);
  for (Fd& fd : waiting_) {
    fd = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ::connect(fd.get(), to.get(), to.length);
  }
}

}  // namespace baton::harness
