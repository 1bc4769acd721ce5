#include "proxy/state/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace baton::state {

std::string SocketAddress::host_text() const {
  char text[INET6_ADDRSTRLEN] = "";
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  switch (family) {
    case Family::none:
      return "unknown";
    case Family::ipv4:
      return inet_ntop(AF_INET, ip.data(), text, sizeof text);
    case Family::ipv6:
      if (std::memcmp(ip.data(), mapped.data(), mapped.size()) == 0) {
        return inet_ntop(AF_INET, ip.data() + mapped.size(), text, sizeof text);
      }
      return inet_ntop(AF_INET6, ip.data(), text, sizeof text);
    case Family::unix_path:
      return "unix:" + std::string(path);
  }
  return {};
}

std::string SocketAddress::node_text() const {
  return family == Family::unix_path ? "unknown" : host_text();
}

std::string SocketAddress::text() const {
  const std::string host = host_text();
  if (family == Family::none || family == Family::unix_path) return host;
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

socklen_t SocketAddress::to_sockaddr(sockaddr_storage& out) const {
  out = {};
  switch (family) {
    case Family::ipv4: {
      auto& in = reinterpret_cast<sockaddr_in&>(out);
      in.sin_family = AF_INET;
      in.sin_port = htons(port);
      std::memcpy(&in.sin_addr, ip.data(), 4);
      return sizeof in;
    }
    case Family::ipv6: {
      auto& in = reinterpret_cast<sockaddr_in6&>(out);
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(port);
      in.sin6_scope_id = scope;
      std::memcpy(&in.sin6_addr, ip.data(), 16);
      return sizeof in;
    }
    case Family::unix_path: {
      auto& un = reinterpret_cast<sockaddr_un&>(out);
      un.sun_family = AF_UNIX;
      const std::size_t bytes = std::min(path.size(), sizeof un.sun_path - 1);
      std::memcpy(un.sun_path, path.data(), bytes);
      return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + bytes + 1);
    }
    case Family::none:
      break;
  }
  return 0;
}

SocketAddress SocketAddress::from_sockaddr(const sockaddr_storage& in, socklen_t length) {
  SocketAddress address;
  switch (in.ss_family) {
    case AF_INET: {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(in);
      address.family = Family::ipv4;
      address.port = ntohs(v4.sin_port);
      std::memcpy(address.ip.data(), &v4.sin_addr, 4);
      break;
    }
    case AF_INET6: {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(in);
      address.family = Family::ipv6;
      address.port = ntohs(v6.sin6_port);
      address.scope = v6.sin6_scope_id;
      std::memcpy(address.ip.data(), &v6.sin6_addr, 16);
      break;
    }
    case AF_UNIX: {
      const auto& un = reinterpret_cast<const sockaddr_un&>(in);
      address.family = Family::unix_path;
      const std::size_t header = offsetof(sockaddr_un, sun_path);
      if (length > header) address.path = std::string_view(un.sun_path, strnlen(un.sun_path, length - header));
      break;
    }
    default:
      break;
  }
  return address;
}

}  // namespace baton::state
