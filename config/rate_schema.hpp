// The keys of a route's rate limit.
#pragma once

#include <string>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// More requests per second than a rate can count.
inline constexpr std::uint64_t requests_per_second_max = 100'000;

void read_rate_limit(Reader& reader, const Node& node, Route& route);

void add_rate_keys(std::vector<KnownKey>& known);

// As `print` writes it.
std::string rate_limit_text(const RateLimit& limit);

}  // namespace baton::config
