// Protocols of the field Upgrade that a route passes on (RFC 9110 §7.8).
#pragma once

#include <string>
#include <string_view>

#include "config/scalars.hpp"

namespace baton::config {

// HTTP in any version, h2c included: requests inside such a tunnel would pass unchecked.
bool is_http_protocol(std::string_view protocol);

// `websocket`, or `SPDY/3.1`: a name and perhaps a version. Returns it in lowercase.
Parsed<std::string> parse_upgrade(std::string_view text);

}  // namespace baton::config
