#include "config/environment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/text.hpp"

namespace baton::config {
namespace {

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && is_letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_letter(c) || is_digit(c); });
}

// What `${REFERENCE}` stands for.
Parsed<std::string> value_of(std::string_view reference, Environment environment) {
  const std::size_t separator = reference.find(":-");
  const std::string name(reference.substr(0, separator));
  if (!is_name(name)) {
    return std::unexpected(
        fmt::format("{} does not name an environment variable; write ${{NAME}} or ${{NAME:-default}}, and "
                    "$$ for a dollar",
                    quote(fmt::format("${{{}}}", reference))));
  }
  const char* value = environment(name.c_str());
  if (separator != std::string_view::npos) {
    const std::string_view fallback = reference.substr(separator + 2);
    if (fallback.find("${") != std::string_view::npos) {
      return std::unexpected(fmt::format("the default of `${{{}}}` must not refer to another variable", name));
    }
    return value && *value ? std::string(value) : std::string(fallback);
  }
  if (!value) {
    return std::unexpected(
        fmt::format("the environment variable `{0}` is not set; `${{{0}:-default}}` gives a default", name));
  }
  return std::string(value);
}

}  // namespace

Parsed<std::string> expand(std::string_view text, Environment environment) {
  std::string result;
  while (!text.empty() && result.size() <= text_bytes_max) {
    const std::size_t plain_bytes = std::min(text.find('$'), text.size());
    result += text.substr(0, plain_bytes);
    text.remove_prefix(plain_bytes);
    if (text.starts_with("${")) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) return std::unexpected(quote(text) + " has no closing brace");
      const auto value = value_of(text.substr(2, end - 2), environment);
      if (!value) return value;
      result += *value;
      text.remove_prefix(end + 1);
    } else if (!text.empty()) {
      result += '$';
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  if (result.size() > text_bytes_max) {
    return std::unexpected(fmt::format("must not be longer than {} bytes", text_bytes_max));
  }
  return result;
}

std::string escape_dollars(std::string_view text) {
  std::string result;
  for (const char c : text) result.append(c == '$' ? 2 : 1, c);
  return result;
}

}  // namespace baton::config
