// The keys of a route.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// One entry per list item, so that positions can be looked up in the tree. Their upstreams are still to be checked.
void read_routes(Reader& reader, const Node& node, std::vector<Route>& routes);

void add_route_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
