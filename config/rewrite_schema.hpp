// The keys of a route that change requests and responses: `path`, `host`, `request_headers`, `response_headers`.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_path_rewrite(Reader& reader, const Node& node, Route& route);
void read_host_rewrite(Reader& reader, const Node& node, Route& route);
void read_request_headers(Reader& reader, const Node& node, Route& route);
void read_response_headers(Reader& reader, const Node& node, Route& route);

// Text that may contain placeholders, of one line.
std::optional<Template> read_template(Reader& reader, const Node& node);

void add_rewrite_keys(std::vector<KnownKey>& known);

// As `print` writes them, each in one line.
std::string written(const PathRewrite& rewrite);
std::string written(const HostRewrite& rewrite);
std::string written(const FieldEdits& edits);

}  // namespace baton::config
