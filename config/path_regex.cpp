#include "config/path_regex.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

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

}  // namespace baton::config
