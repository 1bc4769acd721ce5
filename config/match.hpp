// Hosts and paths of routes as written.
#pragma once

#include <string>
#include <string_view>

#include "config/scalars.hpp"

namespace baton::config {

// `api.example.com`, `*.example.com` (every host below it, however deep), `10.0.0.1`, `::1` or `[::1]`, in the form
// that `Match::hosts` has.
Parsed<std::string> parse_match_host(std::string_view text);

// A path as requests are matched with it (`MatchedPath`).
Parsed<std::string> parse_match_path(std::string_view text);
// The same, with or without a slash at its end.
Parsed<std::string> parse_match_prefix(std::string_view text);

}  // namespace baton::config
