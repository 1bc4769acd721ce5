// The routes of a tcp listener.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_tcp_routes(Reader& reader, const Node& node, std::vector<TcpRoute>& routes);

void add_tcp_route_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
