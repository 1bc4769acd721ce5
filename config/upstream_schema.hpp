// The keys of `upstreams`. Those of some of their sections are in files of their own.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_upstreams(Reader& reader, const Node& node, std::vector<Upstream>& upstreams);

void add_upstream_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
