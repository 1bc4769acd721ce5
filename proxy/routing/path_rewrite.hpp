// Rewrites the path of a request as a route says (config::PathRewrite), except `replace`, which depends on more than
// the path.
#pragma once

#include <string>
#include <string_view>

#include "config/rewrite.hpp"

namespace baton::routing {

// The path, beginning with a slash, without repeated slashes and `.` or `..` segments in any spelling (RFC 3986
// §5.2.4); a percent-encoded slash becomes one. The rest of its encoding stays. A view of `path`, or of `space` if it
// differs.
std::string_view resolved_path(std::string_view path, std::string& space);

// Whether a server may take one of its segments for `.` or `..`.
bool has_dot_segments(std::string_view path);

// Appends the new path to `out`. `path` is resolved and has no query.
void rewrite_path(const config::PathRewrite& rewrite, std::string_view path, std::string& out);

// Appends text to a path. What cannot stand in one (RFC 3986 §3.3) is percent-encoded; `value`: also `/`, `%` and
// everything else that would mean something there.
enum class PathText { path, value };
void append_to_path(std::string_view text, PathText kind, std::string& out);

}  // namespace baton::routing
