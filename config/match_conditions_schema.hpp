// The conditions of a match besides host and path: `method`, `header`, `query`, `client`.
#pragma once

#include "config/config.hpp"
#include "config/reader.hpp"

namespace baton::config {

void read_methods(Reader& reader, const Node& node, Match& match);
void read_headers(Reader& reader, const Node& node, Match& match);
void read_queries(Reader& reader, const Node& node, Match& match);
void read_clients(Reader& reader, const Node& node, Match& match);

}  // namespace baton::config
