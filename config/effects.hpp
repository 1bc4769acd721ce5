// Keys that are valid by themselves but would do nothing in the configuration they stand in.
#pragma once

#include "config/reader.hpp"
#include "config/schema.hpp"

namespace baton::config {

// Reports them. `root` is what the draft was read from.
void check_effects(Reader& reader, const Node& root, const Draft& draft);

}  // namespace baton::config
