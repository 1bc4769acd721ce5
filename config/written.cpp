#include "config/written.hpp"

#include "config/environment.hpp"

namespace baton::config {

std::string key_in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '\n':
        result += "\\n";
        continue;
      case '\r':
        result += "\\r";
        continue;
      case '\t':
        result += "\\t";
        continue;
      case '"':
      case '\\':
        result += '\\';
        break;
      default:
        break;
    }
    result += c;
  }
  return result + "\"";
}

std::string in_quotes(std::string_view text) {
  return key_in_quotes(escape_dollars(text));
}

std::string list_of(std::span<const std::string> texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + in_quotes(text);
  return "[" + result + "]";
}

}  // namespace baton::config
