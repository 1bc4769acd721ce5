// The address of a socket as a value: an IP address with its port, or a Unix path.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

#include "proxy/state/string.hpp"

namespace baton::state {

enum class Family : std::uint8_t { none, ipv4, ipv6, unix_path };

struct SocketAddress {
  Family family = Family::none;
  std::uint16_t port = 0;
  std::uint32_t scope = 0;                  // the interface of a link-local IPv6 address
  std::array<std::uint8_t, 16> ip{};        // the first four bytes for IPv4
  String path;                              // for unix_path; empty for an unnamed socket
  bool operator==(const SocketAddress&) const = default;

  // Without the port: "192.0.2.1", "2001:db8::1", or "unix:" and the path. An IPv4-mapped IPv6 address
  // (::ffff:192.0.2.1) is shown as IPv4.
  std::string host_text() const;
  // The same where an IP address is expected: "unknown" if it is not one (RFC 7239 §6). A client of a Unix socket can
  // choose its own path freely.
  std::string node_text() const;
  // "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/app.sock".
  std::string text() const;

  // Fills in the kernel's form; returns the length used.
  socklen_t to_sockaddr(sockaddr_storage& out) const;
  static SocketAddress from_sockaddr(const sockaddr_storage& in, socklen_t length);
};

}  // namespace baton::state
