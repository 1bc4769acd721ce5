// Recognises configuration files of other proxies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/load.hpp"

namespace baton::config {

// For text that is not our configuration: which proxy's it is, and which page shows how to translate it.
std::optional<Problem> recognise(std::string_view text, const std::string& name);

}  // namespace baton::config
