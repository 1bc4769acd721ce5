// `${NAME}` and `${NAME:-default}` in text values.
#pragma once

#include <string>
#include <string_view>

#include "config/load.hpp"
#include "config/scalars.hpp"

namespace baton::config {

// Longer text is refused whatever its source, so that no environment value can bloat a file.
inline constexpr std::size_t text_bytes_max = 4096;

// The text with every reference replaced; replacements are not expanded again. As in a shell, the default after `:-`
// also replaces an empty variable. `$$` is one dollar, and a dollar before anything else is literal.
Parsed<std::string> expand(std::string_view text, Environment environment);

// The inverse of `expand`: text that expands to this.
std::string escape_dollars(std::string_view text);

}  // namespace baton::config
