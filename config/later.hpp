// Keys of future versions. Their names are fixed, so the error says that a later version will know the key, not that
// the key is unknown.
#pragma once

#include <array>
#include <string_view>

namespace baton::config {

// By the path of their section, as in KnownKey::path. Remove a key here when you implement it.
inline constexpr std::array<std::string_view, 0> later_keys{};

}  // namespace baton::config
