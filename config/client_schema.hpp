// The keys that say who a client is.
#pragma once

#include <optional>
#include <vector>

#include "config/client_rules.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_trusted_proxies(Reader& reader, const Node& node, TrustedProxies& proxies);
void read_forwarded(Reader& reader, const Node& node, ForwardedFields& fields);
void read_request_id(Reader& reader, const Node& node, std::optional<RequestId>& id);

// For connections of both sides: `0`, or whole seconds.
void read_keepalive(Reader& reader, const Node& node, Milliseconds& keepalive);

// As `read_trusted_proxies` and `read_forwarded` read them.
std::vector<std::string> texts_of(const TrustedProxies& proxies);
std::vector<std::string> texts_of(const ForwardedFields& fields);

void add_client_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
