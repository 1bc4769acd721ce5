#include "config/upgrades.hpp"

#include <algorithm>

#include "config/text.hpp"

namespace baton::config {
namespace {

char lowercase(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (lowercase(c) >= 'a' && lowercase(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_token_char); }

}  // namespace

bool is_http_protocol(std::string_view protocol) {
  const std::string_view name = protocol.substr(0, protocol.find('/'));
  return std::ranges::any_of(std::initializer_list<std::string_view>{"http", "h2c", "h2", "h3"}, [&](std::string_view one) {
    return std::ranges::equal(one, name, {}, {}, lowercase);
  });
}

Parsed<std::string> parse_upgrade(std::string_view text) {
  constexpr std::size_t bytes_max = 64;
  const std::size_t slash = text.find('/');
  const bool has_version = slash != std::string_view::npos;
  const bool is_whole = is_token(text.substr(0, slash)) && (!has_version || is_token(text.substr(slash + 1)));
  if (!is_whole || text.size() > bytes_max) {
    return std::unexpected(quote(text) + " is not the name of a protocol, as in `websocket` or `SPDY/3.1`");
  }
  if (is_http_protocol(text)) {
    return std::unexpected(quote(text) + " never passes: requests inside such a tunnel could not be checked");
  }
  std::string protocol(text);
  std::ranges::transform(protocol, protocol.begin(), lowercase);
  return protocol;
}

}  // namespace baton::config
