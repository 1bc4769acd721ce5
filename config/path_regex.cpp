#include "config/path_regex.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/matched_path.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

// For the program and its cached states. When the cache is full, RE2 clears it or searches without it, still in
// linear time.
constexpr std::int64_t memory_bytes_max = 1024 * 1024;

re2::RE2::Options options() {
  re2::RE2::Options options(re2::RE2::Latin1);
  options.set_max_mem(memory_bytes_max);
  options.set_log_errors(false);
  options.set_dot_nl(true);
  return options;
}

// RE2 names the text that is wrong, not its place.
std::string place_of(std::string_view wrong, std::string_view pattern) {
  const std::size_t at = wrong.empty() ? std::string_view::npos : pattern.find(wrong);
  return at == std::string_view::npos ? "" : fmt::format(", at character {} of it", at + 1);
}

}  // namespace

Parsed<PathRegex> PathRegex::parse(std::string_view pattern) {
  if (pattern.empty()) return std::unexpected("a regular expression is missing");
  if (pattern.size() > route_path_bytes_max) {
    return std::unexpected(fmt::format("a regular expression must not be longer than {} bytes, this one has {}",
                                       route_path_bytes_max, pattern.size()));
  }
  auto regex = std::make_shared<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options());
  if (regex->ok()) return PathRegex(std::move(regex));
  return std::unexpected(fmt::format("{} is not a regular expression of RE2: {}{}", quote(pattern), regex->error(),
                                     place_of(regex->error_arg(), pattern)));
}

bool PathRegex::matches(std::string_view path) const {
  return re2::RE2::PartialMatch(re2::StringPiece(path.data(), path.size()), *regex_);
}

bool PathRegex::find(std::string_view path, std::span<std::string_view, groups_max + 1> parts) const {
  std::array<re2::StringPiece, groups_max + 1> found;
  const re2::StringPiece text(path.data(), path.size());
  const int wanted = std::min(groups(), groups_max) + 1;
  if (!regex_->Match(text, 0, text.size(), re2::RE2::UNANCHORED, found.data(), wanted)) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const re2::StringPiece& one = found[i];
    parts[i] = one.data() == nullptr ? std::string_view() : std::string_view(one.data(), one.size());
  }
  return true;
}

int PathRegex::groups() const {
  return regex_->NumberOfCapturingGroups();
}

Parsed<PathReplacement> PathReplacement::parse(std::string_view text, int groups) {
  constexpr std::size_t references_max = 10;  // each may be as long as the path
  if (text.size() > route_path_bytes_max) {
    return std::unexpected(fmt::format("must not be longer than {} bytes", route_path_bytes_max));
  }
  PathReplacement replacement;
  Part part;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at++];
    if (c != '$') {
      if (c == '?')
        return std::unexpected(std::string("has a `?`, but the query stays; write `%3F` for the character"));
      if (c == '{' || c == '}') {
        return std::unexpected(
            std::string("has a brace, but placeholders are for `replace` of the whole path; write "
                        "`%7B` or `%7D`"));
      }
      part.text += c;
      continue;
    }
    if (text.substr(at).starts_with('$')) {
      part.text += text[at++];
      continue;
    }
    const bool has_braces = text.substr(at).starts_with('{');
    const std::size_t digit = at + (has_braces ? 1 : 0);
    const bool is_group = digit < text.size() && text[digit] >= '0' && text[digit] <= '9' &&
                          (!has_braces || text.substr(digit + 1).starts_with('}'));
    if (!is_group) {
      return std::unexpected(std::string("has a `$` that is no group; write `$0` to `$9`, or `$$` for a dollar"));
    }
    part.group = text[digit] - '0';
    if (part.group > groups) {
      return std::unexpected(
          fmt::format("has `${}`, but `match` has {} group{}", part.group, groups, groups == 1 ? "" : "s"));
    }
    at = digit + (has_braces ? 2 : 1);
    if (replacement.parts_.size() == references_max) {
      return std::unexpected(fmt::format("must not refer to more than {} groups", references_max));
    }
    replacement.parts_.push_back(std::exchange(part, {}));
  }
  if (!part.text.empty()) replacement.parts_.push_back(std::move(part));
  const auto has_dots = [](const Part& one) { return has_dots_between_slashes(one.text); };
  if (std::ranges::any_of(replacement.parts_, has_dots)) {
    return std::unexpected(std::string("has a segment `.` or `..`, so all that it applies to would get 400"));
  }
  return replacement;
}

}  // namespace baton::config
