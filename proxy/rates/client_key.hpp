// Who counts as one client.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/state/address.hpp"

namespace baton::rates {

// An IPv4 address, or the first half of an IPv6 address: one client has a whole network of those. An IPv4-mapped
// address is the IPv4 one. All clients of Unix sockets are one, and so are all whose address is unknown.
class ClientKey {
 public:
  explicit ClientKey(const state::SocketAddress& client);
  std::string_view bytes() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, 8> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace baton::rates
