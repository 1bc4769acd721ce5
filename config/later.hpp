// Keys of future versions. Their names are fixed, so the error says that a later version will know the key, not that
// the key is unknown.
#pragma once

#include <string_view>

namespace baton::config {

// By the path of their section, as in KnownKey::path. Remove a key here when you implement it.
inline constexpr std::string_view later_keys[] = {
    "include",

    "listeners.tls.ciphers",
    "listeners.tls.ciphersuites",
    "listeners.tls.curves",
    "listeners.tls.max_version",

    "routes.rate_limit",
    "routes.retries",

    "upstreams.hash",
    "upstreams.health",
    "upstreams.health_check",
    "upstreams.health_checks",
    "upstreams.keep_alive",
    "upstreams.protocol",
    "upstreams.queue",
    "upstreams.slow_start",
    "upstreams.sticky",
    "upstreams.when_none_is_up",
    "upstreams.servers.backup",
    "upstreams.servers.drain",
    "upstreams.servers.max_connections",

    "limits.connections_per_client",
    "limits.requests_per_second_per_client",
    "limits.upstream_connections",

    "handoff.survive",
};

}  // namespace baton::config
