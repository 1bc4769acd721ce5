// The event log: one line each to standard error, written by a thread of its own, so that nobody waits for a slow
// terminal or pipe; when it cannot keep up, the oldest lines are lost.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace baton::runtime::log {

enum class Level { debug, info, warning, error };

// Once, at the start of the process. `tag` stands in every line: the generation and PID.
void start(Level level);
void set_level(Level level);
void set_tag(const std::string& tag);
std::string tag();
// Writes out what is waiting, within a bounded time. Logging goes on to be safe afterwards and does nothing.
void stop();

bool enabled(Level level);
void write(Level level, std::string_view text);

template <class... Arguments>
void debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Arguments>(arguments)...));
}
template <class... Arguments>
void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Arguments>(arguments)...));
}
template <class... Arguments>
void warning(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::warning)) write(Level::warning, fmt::format(format, std::forward<Arguments>(arguments)...));
}
template <class... Arguments>
void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Arguments>(arguments)...));
}

}  // namespace baton::runtime::log
