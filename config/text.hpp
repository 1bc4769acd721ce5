// Text allowed in files and messages: UTF-8 without control characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace baton::config {

// The position of the first byte that is not printable UTF-8, or npos. Tab, line feed and carriage return count as
// control characters only if `one_line`.
std::size_t find_unprintable(std::string_view text, bool one_line);

// In ASCII.
std::string lowercase(std::string_view text);

// A token (RFC 9110 §5.6.2), as the names of fields are.
bool is_token(std::string_view text);

// The operator's word in backticks, safe for one line of a terminal: cut if long, without control characters.
std::string quote(std::string_view text);

}  // namespace baton::config
