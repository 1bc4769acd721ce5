// The keys of a route.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// One entry for each of the list, so that their places can be told from the tree. What their upstreams are is still to
// be checked.
void read_routes(Reader& reader, const Node& node, std::vector<Route>& routes);

void add_route_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
