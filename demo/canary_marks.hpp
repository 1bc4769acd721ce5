// How the answers of the demo's canary are known. Of the requests below this path it fails one in so many; it adds the
// field to its other answers there, and its failures have the page as their body.
#pragma once

#include <string_view>

namespace baton::demo {

inline constexpr std::string_view asked_prefix = "/asked/";
inline constexpr unsigned asked_for_each_failure = 50;
inline constexpr const char* canary_field = "Baton-Demo-Canary";
inline constexpr std::string_view canary_page = "This failure is the canary's.\n";

}  // namespace baton::demo
