// The paths that a pattern matches.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace baton::config {

// A folder on the way to the matches that cannot be read.
struct UnreadableFolder {
  std::string folder;  // empty: there are too many matches
  int error = 0;
};

// Whether a path has characters that match others.
bool is_pattern(std::string_view path);

// Sorted by name. What `*` and `?` match does not begin with a dot. A pattern that ends with a slash matches folders,
// whose paths end with a slash, too.
std::expected<std::vector<std::string>, UnreadableFolder> matching_paths(const std::string& pattern);

}  // namespace baton::config
