// What may stand in a file and in a message: UTF-8 without control characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace baton::config {

// Where the first byte stands that is no printable UTF-8, or npos. Tab, line feed and carriage return count as
// control characters only if `one_line`.
std::size_t find_unprintable(std::string_view text, bool one_line);

// A word of the operator in backticks, fit for one line of a terminal: cut when long, without control characters.
std::string quote(std::string_view text);

}  // namespace baton::config
