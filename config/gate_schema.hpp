// The keys of a route's answers, and of the pages of other answers of our own.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_respond(Reader& reader, const Node& node, Route& route);
void read_redirect(Reader& reader, const Node& node, Route& route);
void read_route_access(Reader& reader, const Node& node, Route& route);
// `access` of tcp listeners and of their routes.
void read_listener_access(Reader& reader, const Node& node, Access& access);
void read_tcp_route_access(Reader& reader, const Node& node, Access& access);
void read_basic_auth(Reader& reader, const Node& node, Route& route);
void read_maintenance(Reader& reader, const Node& node, Config& config);
void read_error_pages(Reader& reader, const Node& node, Config& config);

void add_gate_keys(std::vector<KnownKey>& known);

// As `print` writes them.
std::string networks_text(const std::vector<Network>& networks);
std::string access_text(const Access& access);
std::string basic_auth_text(const BasicAuth& basic_auth);

}  // namespace baton::config
