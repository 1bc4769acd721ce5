#include "config/written.hpp"

#include "config/environment.hpp"

namespace baton::config {

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : escape_dollars(text)) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + "\"";
}

std::string list_of(std::span<const std::string> texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + in_quotes(text);
  return "[" + result + "]";
}

}  // namespace baton::config
