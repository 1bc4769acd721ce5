// The path of a request as routes are held against it.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "config/config.hpp"

namespace baton::config {

// Percent-encoding is taken away, `%2F` included, repeated slashes are one, and `.` and `..` segments are resolved
// (RFC 3986 §5.2.4; what would lead above the root stays there). So no spelling that a server may take for a path gets
// past the route of that path. Only matching sees this path: the request goes on as it came.
class MatchedPath {
 public:
  // Longer ones are cut to this, which is more than any route has.
  static constexpr std::size_t bytes_max = route_path_bytes_max + 2;

  // `path` begins with a slash, or is empty, and may be followed by a query. It must outlive this object.
  explicit MatchedPath(std::string_view path);
  MatchedPath(const MatchedPath&) = delete;
  MatchedPath& operator=(const MatchedPath&) = delete;

  std::string_view text() const { return text_; }

 private:
  void resolve(std::string_view path);

  std::string_view text_;
  std::array<char, bytes_max> resolved_;  // what `text_` is a view of, unless the path is matched as it came
};

}  // namespace baton::config
