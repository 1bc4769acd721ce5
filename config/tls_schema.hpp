// The keys of TLS, towards clients and towards servers.
#pragma once

#include <optional>
#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// The `tls` of a listener, whose protocol is nothing if that is unknown and reported as such. Nothing: there is none
// that could be used, and that is reported.
std::optional<ListenerTls> read_listener_tls(Reader& reader, const Node& node, std::optional<Protocol> protocol);

// The `tls` of an upstream whose servers have been read.
void read_upstream_tls(Reader& reader, const Node& node, Upstream& upstream);

void add_tls_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
