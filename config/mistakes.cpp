#include "config/mistakes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace baton::config {
namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view blanks_and_breaks = " \t\r\n";

std::vector<std::string_view> lines_of(std::string_view yaml) {
  std::vector<std::string_view> lines;
  for (;;) {
    const std::size_t end = std::min(yaml.find('\n'), yaml.size());
    lines.push_back(yaml.substr(0, end));
    if (end == yaml.size()) return lines;
    yaml.remove_prefix(end + 1);
  }
}

// A line of the file and the start of its content, after indentation and list dashes.
struct Content {
  std::size_t column = 0;
  std::string_view text;
};

Content content_of(std::string_view line) {
  std::size_t begin = std::min(line.find_first_not_of(blanks), line.size());
  while (line.substr(begin).starts_with("- ")) begin = std::min(line.find_first_not_of(blanks, begin + 1), line.size());
  std::string_view text = line.substr(begin);
  if (const std::size_t comment = text.find(" #"); comment != std::string_view::npos) text = text.substr(0, comment);
  if (text.starts_with('#')) text = {};
  text = text.substr(0, text.find_last_not_of(" \t\r") + 1);
  return {begin, text};
}

bool is_key(std::string_view word) {
  const auto is_key_character = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  return !word.empty() && std::ranges::all_of(word, is_key_character);
}

bool has_colon(std::string_view text) {
  return text.ends_with(':') || text.find(": ") != std::string_view::npos;
}

// Where the quote that opens at `open` closes; npos: it never does.
std::size_t end_of_quote(std::string_view yaml, std::size_t open) {
  const char quote = yaml[open];
  for (std::size_t at = open + 1; at < yaml.size(); ++at) {
    if (quote == '"' && yaml[at] == '\\') {
      ++at;
    } else if (yaml[at] == quote) {
      if (quote == '"' || !yaml.substr(at + 1).starts_with('\'')) return at;
      ++at;
    }
  }
  return std::string_view::npos;
}

// The brackets open at an offset, the innermost last. Whether a mark is a quote is a guess.
std::vector<std::size_t> open_brackets(std::string_view yaml, std::size_t end) {
  std::vector<std::size_t> brackets;
  bool begins = true;  // a value may begin here, and so a quote may open
  for (std::size_t at = 0; at < end && at < yaml.size(); ++at) {
    const char c = yaml[at];
    const bool after_blank = at == 0 || yaml[at - 1] == ' ' || yaml[at - 1] == '\n' || yaml[at - 1] == '\t';
    if (c == '#' && after_blank) {
      at = std::min(yaml.find('\n', at), yaml.size());
      begins = true;
    } else if ((c == '"' || c == '\'') && begins) {
      at = std::min(end_of_quote(yaml, at), yaml.size());
      begins = false;
    } else if ((c == '[' || c == '{') && (begins || !brackets.empty())) {
      brackets.push_back(at);
      begins = true;
    } else if ((c == ']' || c == '}') && !brackets.empty()) {
      brackets.pop_back();
    } else if (c == ' ' || c == '\t' || c == '\r') {
      // The preceding character decides.
    } else {
      const bool before_blank =
          at + 1 == yaml.size() || blanks.find(yaml[at + 1]) != std::string_view::npos || yaml[at + 1] == '\n';
      begins = c == '\n' || (c == ',' && !brackets.empty()) || (c == ':' && before_blank) ||
               (c == '-' && begins && before_blank);
    }
  }
  return brackets;
}

// Where the value itself begins: at `at`, or after an anchor and tag there, which comments and line breaks may follow.
std::size_t past_properties(std::string_view yaml, std::size_t at) {
  while (at < yaml.size() && (yaml[at] == '&' || yaml[at] == '!')) {
    at = std::min(yaml.find_first_of(blanks_and_breaks, at), yaml.size());
    for (;;) {
      at = std::min(yaml.find_first_not_of(blanks_and_breaks, at), yaml.size());
      if (at == yaml.size() || yaml[at] != '#') break;
      at = std::min(yaml.find('\n', at), yaml.size());
    }
  }
  return at;
}

Mistake at_offset(std::string_view yaml, std::size_t at, std::string message) {
  const std::string_view before = yaml.substr(0, at);
  return {static_cast<int>(1 + std::ranges::count(before, '\n')), static_cast<int>(at - (before.rfind('\n') + 1) + 1),
          std::move(message)};
}

std::size_t offset_of(std::string_view yaml, const Mistake& place) {
  std::size_t at = 0;
  for (int line = 1; line < place.line; ++line) at = std::min(yaml.find('\n', at), yaml.size() - 1) + 1;
  return std::min(at + static_cast<std::size_t>(place.column - 1), yaml.size());
}

// The parser reads a line without a colon together with those below it, until one has a colon that is not allowed
// there.
std::optional<Mistake> missing_colon(const std::vector<std::string_view>& lines, std::size_t complaint) {
  std::optional<Mistake> found;
  for (std::size_t i = complaint; i-- > 0;) {
    const Content content = content_of(lines[i]);
    if (content.text.starts_with('-') && content.text.size() > 1) {
      return Mistake{static_cast<int>(i + 1), static_cast<int>(content.column + 1), "a space is missing after the `-`"};
    }
    if (content.text.empty() || has_colon(content.text)) break;
    std::string missing = missing_in_key(content.text, is_key);
    if (missing.empty() && is_key(content.text)) missing = fmt::format("a colon is missing after `{}`", content.text);
    if (missing.empty()) break;
    found = Mistake{static_cast<int>(i + 1), static_cast<int>(content.column + 1), std::move(missing)};
  }
  return found;
}

// The mistake that makes the parser complain like this.
std::string hint(std::string_view line, const std::string& complaint) {
  const std::size_t content = line.find_first_not_of(' ');
  if (content != std::string_view::npos && line[content] == '\t') return "; YAML is indented with spaces, never tabs";
  if (complaint.find("tab") != std::string::npos) return "; YAML is indented with spaces, never tabs";
  if (line.find("${") != std::string_view::npos) return "; inside braces or brackets ${NAME} must be in quotes";
  if (line.find("]:") != std::string_view::npos) return "; an IPv6 address must be in quotes";
  if (complaint.find("flow not found") != std::string::npos)
    return "; is a comma missing before this, or a bracket after it?";
  if (complaint.find("anchor") != std::string::npos) {
    return "; a `*` at the start of a value makes it an alias: quote the value, or leave out the `*`";
  }
  if (complaint == "illegal map value") return "; is this line indented deeper than the keys it belongs with?";
  if (complaint == "end of map not found")
    return "; this line is indented like neither the keys above it nor their parents";
  return "";
}

}  // namespace

Mistake explain(std::string_view yaml, Mistake complaint) {
  complaint.line = std::max(complaint.line, 1);
  complaint.column = std::max(complaint.column, 1);
  const auto lines = lines_of(yaml);
  const std::size_t index = std::min(static_cast<std::size_t>(complaint.line - 1), lines.size() - 1);
  if (complaint.message == "illegal map value") {
    if (auto mistake = missing_colon(lines, index)) return *std::move(mistake);
  }
  if (complaint.message.find("flow not found") != std::string::npos) {
    const std::size_t end = offset_of(yaml, complaint);
    const auto brackets = open_brackets(yaml, end);
    const auto begun = brackets.empty() ? yaml.size() : brackets.back();
    if (begun < yaml.size() && yaml.substr(begun, end - begun).find('\n') != std::string_view::npos) {
      return at_offset(yaml, begun, fmt::format("this `{}` is never closed", yaml[begun]));
    }
  }
  complaint.message = "YAML: " + complaint.message + hint(lines[index], complaint.message);
  return complaint;
}

std::optional<Mistake> unclosed_quote(std::string_view yaml, std::size_t scalar) {
  const std::size_t begin = past_properties(yaml, scalar);
  if (begin == yaml.size() || (yaml[begin] != '"' && yaml[begin] != '\'')) return std::nullopt;
  if (end_of_quote(yaml, begin) != std::string_view::npos) return std::nullopt;
  return at_offset(yaml, begin, "this quote is never closed");
}

}  // namespace baton::config
