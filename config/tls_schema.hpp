// The keys of TLS, for clients and for servers.
#pragma once

#include <optional>
#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// The `tls` of a listener. `protocol` is nothing if it is unknown, which has been reported. Returns nothing if there is
// no usable `tls`, which has been reported.
std::optional<ListenerTls> read_listener_tls(Reader& reader, const Node& node, std::optional<Protocol> protocol);

// The `tls` of an upstream whose servers have already been read.
void read_upstream_tls(Reader& reader, const Node& node, Upstream& upstream);

void add_tls_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
