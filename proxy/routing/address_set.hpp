// Which IP addresses a list of ranges contains.
#pragma once

#include <algorithm>
#include <vector>

#include "config/network.hpp"
#include "proxy/state/address.hpp"

namespace baton::routing {

// Immutable. One binary search, however many ranges there are.
class AddressSet {
 public:
  AddressSet() = default;  // contains nothing
  explicit AddressSet(const std::vector<config::Network>& networks);

  bool empty() const { return ranges_.empty(); }
  bool contains(const config::IpBytes& ip) const {
    const auto behind = std::ranges::upper_bound(ranges_, ip, {}, &Range::first);
    return behind != ranges_.begin() && ip <= std::prev(behind)->last;
  }
  // An address that is no IP address is in no range.
  bool contains(const state::SocketAddress& address) const {
    const bool is_ip = address.family == state::Family::ipv4 || address.family == state::Family::ipv6;
    return is_ip && contains(ip_bytes(address));
  }

  // `address` is IPv4 or IPv6.
  static config::IpBytes ip_bytes(const state::SocketAddress& address);

 private:
  struct Range {
    config::IpBytes first;
    config::IpBytes last;
  };
  std::vector<Range> ranges_;  // sorted, and no two of them overlap
};

}  // namespace baton::routing
