// `${NAME}` and `${NAME:-default}` in text values.
#pragma once

#include <string>
#include <string_view>

#include "config/load.hpp"
#include "config/scalars.hpp"

namespace baton::config {

// Text longer than this is refused wherever it came from, so that no value of the environment can swell a file.
inline constexpr std::size_t text_bytes_max = 4096;

// The text with every reference replaced; what was put in is not looked at again. As in a shell, `:-` also stands in
// for an empty variable. `$$` is one dollar, and a dollar before anything else is itself.
Parsed<std::string> expand(std::string_view text, Environment environment);

// The text that `expand` turns into this one.
std::string escape_dollars(std::string_view text);

}  // namespace baton::config
