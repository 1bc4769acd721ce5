#include "proxy/rates/client_key.hpp"

#include <algorithm>

namespace baton::rates {

ClientKey::ClientKey(const state::SocketAddress& client) {
  static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto take = [this, &client](std::size_t from, std::size_t bytes) {
    std::copy_n(client.ip.begin() + static_cast<std::ptrdiff_t>(from), bytes, bytes_.begin());
    size_ = bytes;
  };
  switch (client.family) {
    case state::Family::ipv4:
      take(0, 4);
      break;
    case state::Family::ipv6:
      std::equal(mapped.begin(), mapped.end(), client.ip.begin()) ? take(12, 4) : take(0, 8);
      break;
    case state::Family::unix_path:
      bytes_[0] = 'u';
      size_ = 1;
      break;
    case state::Family::none:
      break;
  }
}

}  // namespace baton::rates
