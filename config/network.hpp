// A range of IP addresses as written: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace baton::config {

// In the form of IPv6: an IPv4 address is ::ffff:a.b.c.d.
using IpBytes = std::array<std::uint8_t, 16>;

struct Network {
  IpBytes first{};      // bits after the prefix are 0
  unsigned bits = 128;  // of the prefix; for IPv4 96 more than written
  bool operator==(const Network&) const = default;

  IpBytes last() const;
  // The shortest form that parses back to the same value.
  std::string text() const;
};

// Bits after the prefix are an error: `10.0.0.1/8` may be meant as one address or as a range.
std::expected<Network, std::string> parse_network(std::string_view text);

}  // namespace baton::config
