#include "config/network.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "config/scalars.hpp"
#include "config/text.hpp"

namespace baton::config {

namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};  // ::ffff:0:0/96
constexpr unsigned v4_bits = 8 * v4_prefix.size();

IpBytes mapped(const in_addr& address) {
  IpBytes ip{};
  std::ranges::copy(v4_prefix, ip.begin());
  std::memcpy(ip.data() + v4_prefix.size(), &address, sizeof address);
  return ip;
}

bool is_v4(const Network& network) {
  return network.bits >= v4_bits && std::equal(v4_prefix.begin(), v4_prefix.end(), network.first.begin());
}

// The mask of a byte of which this many leading bits belong to the prefix.
std::uint8_t mask(unsigned bits) {
  return static_cast<std::uint8_t>(0xff00U >> bits);
}

// Calls `change(byte, mask of its prefix bits)` for each byte that lies not wholly in the prefix.
template <class Change>
void beyond_prefix(IpBytes& ip, unsigned bits, Change change) {
  for (unsigned i = bits / 8; i < ip.size(); ++i) change(ip[i], mask(i == bits / 8 ? bits % 8 : 0));
}

}  // namespace

IpBytes Network::last() const {
  IpBytes ip = first;
  beyond_prefix(ip, bits, [](std::uint8_t& byte, std::uint8_t kept) { byte |= static_cast<std::uint8_t>(~kept); });
  return ip;
}

std::string Network::text() const {
  const bool v4 = is_v4(*this);
  char host[INET6_ADDRSTRLEN];
  ::inet_ntop(v4 ? AF_INET : AF_INET6, first.data() + (v4 ? v4_prefix.size() : 0), host, sizeof host);
  return bits == 128 ? std::string(host) : fmt::format("{}/{}", host, v4 ? bits - v4_bits : bits);
}

std::expected<Network, std::string> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  Network network;
  in_addr v4;
  const bool is_four = ::inet_pton(AF_INET, host.c_str(), &v4) == 1;
  if (is_four) {
    network.first = mapped(v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), network.first.data()) != 1) {
    return std::unexpected(quote(text) + " is not an IP address or a range such as `10.0.0.0/8` or `2001:db8::/32`");
  }
  if (slash == std::string_view::npos) return network;
  const unsigned most = is_four ? 32 : 128;
  const auto bits = parse_count(text.substr(slash + 1), {.least = 0, .most = most});
  if (!bits)
    return std::unexpected(fmt::format("{}: expected a prefix length from 0 to {} after `/`", quote(text), most));
  network.bits = static_cast<unsigned>(*bits) + (is_four ? v4_bits : 0);
  Network whole = network;
  beyond_prefix(whole.first, whole.bits, [](std::uint8_t& byte, std::uint8_t kept) { byte &= kept; });
  if (whole == network) return network;
  return std::unexpected(fmt::format("{} has bits after its prefix; the range is {}, the address alone is {}",
                                     quote(text), quote(whole.text()), quote(host)));
}

}  // namespace baton::config
