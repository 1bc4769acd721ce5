// What the access log's format asks of a request, kept until the exchange ends: lines of a placeholder and its value.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace baton::state {

// The value has no line feed.
inline void append_captured(std::string& lines, std::string_view placeholder, std::string_view value) {
  lines.append(placeholder).append("=").append(value).append("\n");
}

// Empty: it was not asked for then.
inline std::string_view captured(std::string_view lines, std::string_view placeholder) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    if (line.starts_with(placeholder) && line.substr(placeholder.size()).starts_with('=')) {
      return line.substr(placeholder.size() + 1);
    }
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  return {};
}

}  // namespace baton::state
