// Addresses and host names as written.
#pragma once

#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/scalars.hpp"

namespace baton::config {

// The kernel's limit: sun_path holds 108 bytes with the final zero.
inline constexpr std::size_t unix_path_bytes_max = 107;
// For handoff.socket, which is reached through its folder when the whole path is too long for the kernel.
inline constexpr std::size_t handoff_path_bytes_max = 4000;
inline constexpr std::size_t handoff_name_bytes_max = 80;

// What an address is for. `:port` can be listened on but names no host to connect to. To listen, port 0 is any port.
enum class AddressUse { listen, connect };

// `host:port`, `[v6]:port`, `:port` or `unix:/path`; to connect, also `srv:NAME`. Checks the form only; resolves
// nothing.
Parsed<Address> parse_address(std::string_view text, AddressUse use = AddressUse::listen);

bool is_ipv4(const std::string& host);
// IPv4, or IPv6 with an optional zone.
bool is_ip_address(const std::string& host);

// A DNS host name, not an IP address.
Parsed<std::string> parse_host_name(std::string_view text);

// The path of a Unix socket: absolute, and short enough for the kernel.
Parsed<std::string> parse_socket_path(std::string_view path);
// The same for handoff.socket, whose folder may be at any depth.
Parsed<std::string> parse_handoff_path(std::string_view path);

}  // namespace baton::config
