// Addresses and names of hosts as written.
#pragma once

#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/scalars.hpp"

namespace baton::config {

// The kernel's limit: sun_path holds 108 bytes with the final zero.
inline constexpr std::size_t unix_path_bytes_max = 107;
// Of handoff.socket, which is reached by way of its folder where the whole is too long for the kernel.
inline constexpr std::size_t handoff_path_bytes_max = 4000;
inline constexpr std::size_t handoff_name_bytes_max = 80;

// What an address is for. `:port` can be listened on, and names no host to connect to.
enum class AddressUse { listen, connect };

// `host:port`, `[v6]:port`, `:port` or `unix:/path`. Looks at the form only, nothing is resolved.
Parsed<Address> parse_address(std::string_view text, AddressUse use = AddressUse::listen);

// The name of a host in DNS, which an IP address is not.
Parsed<std::string> parse_host_name(std::string_view text);

// The path of a Unix socket: absolute, of a length that the kernel takes.
Parsed<std::string> parse_socket_path(std::string_view path);
// The same for handoff.socket, whose folder may be as deep as any.
Parsed<std::string> parse_handoff_path(std::string_view path);

}  // namespace baton::config
