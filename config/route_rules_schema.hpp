// The keys of a route that replace global numbers: `timeouts`, `limits`; and what else is allowed: `upgrades`.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_route_timeouts(Reader& reader, const Node& node, Route& route);
void read_route_limits(Reader& reader, const Node& node, Route& route);
void read_upgrades(Reader& reader, const Node& node, Route& route);

void add_route_rule_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
