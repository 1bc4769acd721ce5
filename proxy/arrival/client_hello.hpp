// What a ClientHello says of where its connection is to go (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1), read without
// taking part in the handshake. Servers judge the rest.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace baton::arrival {

// More of a ClientHello, its record headers included, is not waited for.
inline constexpr std::size_t client_hello_bytes_max = 16 * 1024;

struct ClientHello {
  enum class Found {
    incomplete,  // more must come
    none,        // no ClientHello, a malformed one, or too long a one
    whole,
  } found = Found::incomplete;
  std::string server_name;  // in lowercase, without a trailing dot; empty: none is named
  std::vector<std::string> alpn;
};

// The message may lie in any number of records, and these may come in any pieces.
ClientHello find_client_hello(std::string_view received);

}  // namespace baton::arrival
