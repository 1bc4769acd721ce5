// The keys of `log`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/reader.hpp"
#include "config/section.hpp"

namespace baton::config {

void read_log(Reader& reader, const Node& node, Log& log);

// The level of this name. `warning` is another name of `warn`.
std::optional<LogLevel> log_level_of(std::string_view name);
std::optional<LogFormat> log_format_of(std::string_view name);

// `access_log` of routes.
void read_share_logged(Reader& reader, const Node& node, Route& route);
std::string share_logged_text(std::uint16_t share);

void add_log_keys(std::vector<KnownKey>& known);

}  // namespace baton::config
