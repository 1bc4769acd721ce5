// The path of a request in the form that routes are matched with.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace baton::config {

// Percent-encoding is decoded, including `%2F`, repeated slashes are merged, and `.` and `..` segments are resolved
// (RFC 3986 §5.2.4; a path above the root stays at the root). So no spelling that a server may treat as a path bypasses
// that path's route. This form is for matching only: the request is forwarded unchanged.
class MatchedPath {
 public:
  // Longer paths are cut to this length, which exceeds that of any route.
  static constexpr std::size_t bytes_max = route_path_bytes_max + 2;

  // `path` is empty or begins with a slash, and may be followed by a query. It must outlive this object.
  explicit MatchedPath(std::string_view path);
  // The same, however long the path is; `room` must outlive this object.
  MatchedPath(std::string_view path, std::string& room);
  MatchedPath(const MatchedPath&) = delete;
  MatchedPath& operator=(const MatchedPath&) = delete;

  std::string_view text() const { return text_; }

 private:
  // False: the path must be resolved; otherwise `text_` is set.
  bool take_as_it_is(std::string_view path);
  void resolve(std::string_view path, std::span<char> room);

  std::string_view text_;
  std::array<char, bytes_max> resolved_;  // `text_` is a view of this unless the path needs no change
};

// Takes the next byte from the front of a path, decoded; a percent sign without two hexadecimal digits is literal. The
// path is not empty.
char take_decoded(std::string_view& path);

// Whether a part of a path has a segment `.` or `..`, in any spelling, between two slashes of its own.
bool has_dots_between_slashes(std::string_view part);

}  // namespace baton::config
