// What a route changes in requests and responses on their way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/template.hpp"

namespace baton::config {

// Of the path as the request has it, after `.` and `..` and repeated slashes are resolved. The query stays.
struct PathRewrite {
  std::string strip_prefix;  // whole segments; another path is left alone
  std::string add_prefix;
  std::optional<Template> replace;  // the whole path
  // The first match of an RE2 expression, as PathRegex and PathReplacement read them.
  struct Pattern {
    std::string match;
    std::string replace;
    bool operator==(const Pattern&) const = default;
  };
  std::optional<Pattern> regex;
  bool operator==(const PathRewrite&) const = default;
};

// The Host field that the server gets.
struct HostRewrite {
  enum class To { preserve, upstream, literal } to = To::preserve;  // upstream: as its address is written
  Template literal;
  bool operator==(const HostRewrite&) const = default;
};

// In this order: `remove` and `set` drop the fields of their names, then `set` and `add` write theirs. A field whose
// value turns out empty is not written.
struct FieldEdits {
  struct Field {
    std::string name;
    Template value;
    bool operator==(const Field&) const = default;
  };
  std::vector<Field> set;
  std::vector<Field> add;
  std::vector<std::string> remove;
  bool empty() const { return set.empty() && add.empty() && remove.empty(); }
  bool operator==(const FieldEdits&) const = default;
};

}  // namespace baton::config
