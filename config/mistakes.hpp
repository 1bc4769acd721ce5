// Finds the actual mistake when the YAML parser only reports where it stopped: often it is several lines above and can
// be named.
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

// `complaint` is the parser's message at that position.
Mistake explain(std::string_view yaml, Mistake complaint);

// The opening quote of the value at offset `scalar`, if it never closes: the parser treats it as closed at the end of
// the file. Only the last value can have one. `scalar` is the start of the value according to the parser, so a quote
// inside a plain value is never mistaken for it.
std::optional<Mistake> unclosed_quote(std::string_view yaml, std::size_t scalar);

// What is missing in text that begins with one of `known` but is not `key: value`; empty: the text is no such case.
std::string missing_in_key(std::string_view text, auto is_known) {
  const std::string_view word = text.substr(0, text.find_first_of(" :="));
  if (word.size() == text.size() || !is_known(word)) return {};
  const std::string name = "`" + std::string(word) + "`";
  if (text[word.size()] == ':') return "a space is missing after the colon of " + name;
  return "a colon is missing after " + name;
}

}  // namespace baton::config
