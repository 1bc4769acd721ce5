// `split` of a route: its requests are shared among several upstreams.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

// The upstreams are still to be checked.
void read_split(Reader& reader, const Node& node, Route& route);

void add_split_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
