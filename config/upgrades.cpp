#include "config/upgrades.hpp"

#include "config/text.hpp"

namespace baton::config {

bool is_http_protocol(std::string_view protocol) {
  const std::string name = lowercase(protocol.substr(0, protocol.find('/')));
  return name == "http" || name == "h2c" || name == "h2" || name == "h3";
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
  return lowercase(text);
}

}  // namespace baton::config
