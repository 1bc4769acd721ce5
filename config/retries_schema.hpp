// The key `retries` of a route.
#pragma once

#include <string>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_retries(Reader& reader, const Node& node, Route& route);
void add_retry_keys(std::vector<KnownKey>& known);

// As YAML.
std::string retries_text(const Retries& retries);

}  // namespace baton::config
