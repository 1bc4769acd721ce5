// The event log: writes lines to standard error in a thread of its own, so that no thread waits for a slow terminal or
// pipe. If it cannot keep up, the oldest lines are lost.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::runtime::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

// Who writes; appears in every line.
struct Writer {
  std::string tag;                          // as text has it: the generation and PID
  std::optional<std::uint64_t> generation;  // nothing: not known, or it has none
};

// Call once, at process start.
void start(Level level);
void set_level(Level level);
void set_writer(const Writer& writer);
bool has_writer();

// Before or after the start; a process begins with text.
void set_format(Format format);
Format format();
// The variables that let a process we start begin with our format, and what takes them there. Call the latter before
// there is another thread.
std::vector<std::string> environment();
void take_format_from_environment();

// Writes out what is queued, within a bounded time. Logging afterwards is safe and does nothing.
void stop();

bool enabled(Level level);
// `request_id`, if any, is part of `text` as well.
void write(Level level, std::string_view text, std::string_view request_id = {});

// A line that cannot be written for lack of memory is lost: logging must not end its caller.
template <class... Arguments>
void format_and_write(Level level, fmt::format_string<Arguments...> format, Arguments&&... arguments) noexcept {
  if (!enabled(level)) return;
  try {
    write(level, fmt::format(format, std::forward<Arguments>(arguments)...));
  } catch (const std::exception&) {
  }
}

// The same about a request.
template <class... Arguments>
void of_request(std::string_view id, Level level, fmt::format_string<Arguments...> format,
                Arguments&&... arguments) noexcept {
  if (!enabled(level)) return;
  try {
    write(level, fmt::format(format, std::forward<Arguments>(arguments)...), id);
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
