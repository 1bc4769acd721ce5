// The keys of `resolve`: how the names of an upstream's servers are looked up again.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_resolve(Reader& reader, const Node& node, Upstream& upstream);

// Once the whole upstream has been read: what its servers' addresses need.
void check_resolve(Reader& reader, const Upstream& upstream);

void add_resolve_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
