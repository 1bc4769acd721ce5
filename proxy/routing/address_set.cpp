#include "proxy/routing/address_set.hpp"

namespace baton::routing {

AddressSet::AddressSet(const std::vector<config::Network>& networks) {
  for (const config::Network& network : networks) ranges_.push_back({network.first, network.last()});
  std::ranges::sort(ranges_, {}, &Range::first);
  // Two ranges are either disjoint or one contains the other; then the larger one comes first, or they begin together.
  std::size_t kept = 0;
  for (const Range& range : ranges_) {
    if (kept != 0 && range.first <= ranges_[kept - 1].last) {
      ranges_[kept - 1].last = std::max(ranges_[kept - 1].last, range.last);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

config::IpBytes AddressSet::ip_bytes(const state::SocketAddress& address) {
  if (address.family == state::Family::ipv6) return address.ip;
  config::IpBytes ip{};
  ip[10] = ip[11] = 0xff;
  std::ranges::copy_n(address.ip.begin(), 4, ip.begin() + 12);
  return ip;
}

}  // namespace baton::routing
