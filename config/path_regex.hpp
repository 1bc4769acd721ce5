// A regular expression for paths, in the syntax of RE2: linear in the path, whatever the client sends.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/scalars.hpp"

namespace re2 {
class RE2;
}

namespace baton::config {

// Immutable; threads may share it.
class PathRegex {
 public:
  // `$0` is the whole match, and these follow.
  static constexpr int groups_max = 9;

  // An error says what is wrong and where. A part of a path is enough to match; `^` and `$` bind it to the whole.
  // Bytes above 0x7f stand for themselves, and `.` matches every byte, so that no odd byte in a path evades a route.
  static Parsed<PathRegex> parse(std::string_view pattern);

  bool matches(std::string_view path) const;

  // The first match: the parts of `path` that it and its groups have; data() is null for a group that takes no part.
  // False: there is no match, and `parts` means nothing.
  bool find(std::string_view path, std::span<std::string_view, groups_max + 1> parts) const;

  // How many groups it has, also beyond groups_max.
  int groups() const;

 private:
  explicit PathRegex(std::shared_ptr<const re2::RE2> regex) : regex_(std::move(regex)) {}
  std::shared_ptr<const re2::RE2> regex_;  // never null
};

// What a match is replaced by: text, and the parts of the match.
class PathReplacement {
 public:
  struct Part {
    std::string text;  // before the group
    int group = -1;    // -1: none follows
  };

  // `$0` to `$9` or `${0}` to `${9}`, of an expression with so many groups; `$$` is a dollar.
  static Parsed<PathReplacement> parse(std::string_view text, int groups);

  const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
};

}  // namespace baton::config
