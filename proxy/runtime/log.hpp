// The event log: writes lines to standard error in a thread of its own, so that no thread waits for a slow terminal or
// pipe. If it cannot keep up, the oldest lines are lost.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace baton::runtime::log {

enum class Level { debug, info, warning, error };

// Call once, at process start. `tag` appears in every line: the generation and PID.
void start(Level level);
void set_level(Level level);
void set_tag(const std::string& tag);
std::string tag();
// Writes out what is queued, within a bounded time. Logging afterwards is safe and does nothing.
void stop();

bool enabled(Level level);
void write(Level level, std::string_view text);

// A line that cannot be written for lack of memory is lost: logging must not end its caller.
template <class... Arguments>
void format_and_write(Level level, fmt::format_string<Arguments...> format, Arguments&&... arguments) noexcept {
  if (!enabled(level)) return;
  try {
    write(level, fmt::format(format, std::forward<Arguments>(arguments)...));
  } catch (const std::exception&) {
  }
}

template <class... Arguments>
void debug(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  format_and_write(Level::debug, format, std::forward<Arguments>(arguments)...);
}
template <class... Arguments>
void info(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  format_and_write(Level::info, format, std::forward<Arguments>(arguments)...);
}
template <class... Arguments>
void warning(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  format_and_write(Level::warning, format, std::forward<Arguments>(arguments)...);
}
template <class... Arguments>
void error(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  format_and_write(Level::error, format, std::forward<Arguments>(arguments)...);
}

}  // namespace baton::runtime::log
