// Files of other proxies, by what only they look like.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/load.hpp"

namespace baton::config {

// For a text that is no configuration of ours: whose it is, and which page shows what it becomes here.
std::optional<Problem> recognise(std::string_view text, const std::string& name);

}  // namespace baton::config
