// The keys of `log`.
#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_log(Reader& reader, const Node& node, Log& log);

void add_log_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
