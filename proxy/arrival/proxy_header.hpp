// The header of the PROXY protocol, versions 1 and 2: a load balancer's word on whose connection it forwards
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proxy/state/state.hpp"

namespace baton::arrival {

// A header of version 1 has at most 107 bytes; one of version 2 may be longer than this, but none in use is.
inline constexpr std::size_t proxy_header_bytes_max = 4096;
static_assert(proxy_header_bytes_max <= state::proxy_fields_bytes_max);

struct ProxyHeader {
  enum class Found {
    incomplete,  // what has come can be the beginning of a header
    none,        // it cannot
    malformed,   // it is one of neither version, too long, or its checksum is wrong
    whole,
  } found = Found::incomplete;
  std::size_t bytes = 0;  // when whole
  // Whether it names a client. LOCAL and UNKNOWN do not: then the connection's own addresses count.
  bool names_client = false;
  state::SocketAddress client{};
  state::SocketAddress server{};  // the address that the client connected to
  // What version 2 says of that client's connection besides: its fields (type, length, value) as they came, without
  // checksums and padding.
  std::string fields{};
};

ProxyHeader find_proxy_header(std::string_view received);

// The same for a server of ours. If either address is no IP address, the header carries none. `fields`: as above, at
// most `proxy_header_bytes_max`; version 1 has none.
enum class ProxyVersion { v1, v2 };
std::string make_proxy_header(ProxyVersion version, const state::SocketAddress& client,
                              const state::SocketAddress& server, std::string_view fields = {});

}  // namespace baton::arrival
