// What people got wrong where a YAML parser only knows that it cannot go on: the mistake is often lines above, and has
// a name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace baton::config {

// Line and column count from 1.
struct Mistake {
  int line = 1;
  int column = 1;
  std::string message;
};

// `complaint` is the parser's, at that place.
Mistake explain(std::string_view yaml, Mistake complaint);

// A quote that opens and never closes, which the parser takes for one that closes at the end of the file.
std::optional<Mistake> unclosed_quote(std::string_view yaml);

// What is missing in a text that begins with one of `known` but is not `key: value`; empty: it does not, or nothing.
std::string missing_in_key(std::string_view text, auto is_known) {
  const std::string_view word = text.substr(0, text.find_first_of(" :="));
  if (word.size() == text.size() || !is_known(word)) return {};
  const std::string name = "`" + std::string(word) + "`";
  if (text[word.size()] == ':') return "a blank is missing behind the colon of " + name;
  return "a colon is missing behind " + name;
}

}  // namespace baton::config
