// The keys of `health`: how the servers of an upstream are watched.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_health(Reader& reader, const Node& node, Upstream& upstream);

void add_health_keys(std::vector<KnownKey>& known);

// As lines of `print`, without indentation.
std::vector<std::string> health_lines(const Health& health);

}  // namespace baton::config
