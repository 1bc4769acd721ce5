// Parses hosts and paths of routes.
#pragma once

#include <string>
#include <string_view>

#include "config/scalars.hpp"

namespace baton::config {

// `api.example.com`, `*.example.com` (every host below it at any depth), `10.0.0.1`, `::1` or `[::1]`. Returns the form
// used in `Match::hosts`.
Parsed<std::string> parse_match_host(std::string_view text);

// A path in the form that requests are matched with (`MatchedPath`).
Parsed<std::string> parse_match_path(std::string_view text);
// The same, with or without a trailing slash.
Parsed<std::string> parse_match_prefix(std::string_view text);

}  // namespace baton::config
