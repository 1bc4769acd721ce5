// Values as `print` writes them.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace baton::config {

// Text in double quotes, so that nothing in it is special to YAML or to `${…}`.
std::string in_quotes(std::string_view text);

// The same for a key, in which `${…}` is not special.
std::string key_in_quotes(std::string_view text);

std::string list_of(std::span<const std::string> texts);

}  // namespace baton::config
