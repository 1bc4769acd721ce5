// A regular expression for paths, in the syntax of RE2: linear in the path, whatever the client sends.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "config/scalars.hpp"

namespace re2 {
class RE2;
}

namespace baton::config {

// Immutable; threads may share it.
class PathRegex {
 public:
  // An error says what is wrong and where. A part of a path is enough to match; `^` and `$` bind it to the whole.
  // Bytes above 0x7f stand for themselves, and `.` matches every byte, so that no odd byte in a path evades a route.
  static Parsed<PathRegex> parse(std::string_view pattern);

  bool matches(std::string_view path) const;

 private:
  explicit PathRegex(std::shared_ptr<const re2::RE2> regex) : regex_(std::move(regex)) {}
  std::shared_ptr<const re2::RE2> regex_;  // never null
};

}  // namespace baton::config
