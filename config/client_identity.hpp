// The names of fields in which any client can claim to be another, have another scheme or ask for another host.
#pragma once

#include <string_view>

namespace baton::config {

// In lowercase, with hyphens. Those of `x-forwarded-` are not in it, because every name with that prefix is one.
inline constexpr std::string_view client_identity_names[] = {
    "client-ip",
    "forwarded",
    "forwarded-for",
    "front-end-https",
    "proxy",
    "proxy-client-ip",
    "remote-addr",
    "true-client-ip",
    "wl-proxy-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-host",
    "x-http-host-override",
    "x-original-forwarded-for",
    "x-original-host",
    "x-originating-ip",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-scheme",
    "x-url-scheme",
};

// In any spelling that a server may take for one of them, also as the name of a CGI variable.
bool names_client_identity(std::string_view name);

}  // namespace baton::config
