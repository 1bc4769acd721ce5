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

// The quote that the value at the offset `scalar` begins with, if it never closes: the parser takes it for one that
// closes at the end of the file. Only the last value can be such a one. `scalar` is where the parser says that the
// value begins, so a quote inside of a plain value is never mistaken for it.
std::optional<Mistake> unclosed_quote(std::string_view yaml, std::size_t scalar);

// What is missing in a text that begins with one of `known` but is not `key: value`; empty: it does not, or nothing.
std::string missing_in_key(std::string_view text, auto is_known) {
  const std::string_view word = text.substr(0, text.find_first_of(" :="));
  if (word.size() == text.size() || !is_known(word)) return {};
  const std::string name = "`" + std::string(word) + "`";
  if (text[word.size()] == ':') return "a blank is missing behind the colon of " + name;
  return "a colon is missing behind " + name;
}

}  // namespace baton::config
