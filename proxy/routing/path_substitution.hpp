// `path.regex` of a route: replaces the first match of an expression in a path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/path_regex.hpp"
#include "config/rewrite.hpp"

namespace baton::routing {

// Immutable; threads may share it.
class PathSubstitution {
 public:
  // The pattern has been checked.
  explicit PathSubstitution(const config::PathRewrite::Pattern& pattern);

  // Appends the new path to `out`, beginning with one slash. `path` is resolved and has no query; the expression sees
  // it decoded, and what it leaves or refers to keeps its encoding, as does the text of the replacement. Dot segments
  // that arise stay.
  void apply(std::string_view path, std::string& out) const;

 private:
  config::PathRegex regex_;
  std::vector<config::PathReplacement::Part> parts_;  // their texts encoded
};

}  // namespace baton::routing
