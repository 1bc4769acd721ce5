#include "proxy/runtime/log.hpp"

#include <fcntl.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "handoff/guarded.hpp"
#include "proxy/runtime/line_writer.hpp"
#include "proxy/runtime/text.hpp"

namespace baton::runtime::log {

namespace {

constexpr std::chrono::milliseconds stop_limit{1000};
constexpr std::size_t queue_bytes_max = 1024 * 1024;
constexpr int off = static_cast<int>(Level::error) + 1;

struct Log {
  Writer who;
  std::unique_ptr<LineWriter> writer;  // null: not started, or stopped
};

std::atomic<int> threshold = off;
std::atomic<Format> chosen_format = Format::text;

// Between neighbour versions: name and values never change.
constexpr const char* format_variable = "BATON_LOG_FORMAT";
constexpr std::string_view json_name = "json";

// Never destroyed: a thread may still log while the process exits.
handoff::Guarded<Log>::Lock the_log() {
  static auto& log = *new handoff::Guarded<Log>;
  return log.lock();
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warn";
    case Level::error:
      return "error";
  }
  return "?????";
}

// 2026-11-22T09:21:34.123Z
void append_time(std::string& line) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  ::gmtime_r(&now.tv_sec, &utc);
  line += fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                      utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1'000'000);
}

// Control characters, those of C1 (U+0080 to U+009F) included, cannot end a line or steer a terminal. What would make
// the line longer than `bytes_max` is cut off, so that a line is always one atomic write to a pipe.
void append_escaped(std::string& line, std::string_view text, std::size_t bytes_max) {
  static constexpr std::string_view cut = "...";
  while (!text.empty()) {
    const std::size_t length = utf8_character_bytes(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    const auto first = static_cast<std::uint8_t>(character.front());
    const bool is_c1 = first == 0xC2 && length == 2 && static_cast<std::uint8_t>(character[1]) < 0xA0;
    std::string escaped(character);
    if (first == '\n') {
      escaped = "\\n";
    } else if (first < 0x20 || first == 0x7F || length == 0) {
      escaped = fmt::format("\\x{:02X}", first);
    } else if (is_c1) {
      escaped = fmt::format("\\x{:02X}\\x{:02X}", first, static_cast<std::uint8_t>(character[1]));
    }
    if (line.size() + escaped.size() + cut.size() > bytes_max) {
      line += cut;
      return;
    }
    line += escaped;
    text.remove_prefix(character.size());
  }
}

std::string text_line(Level level, const Writer& who, std::string_view text) {
  std::string line;
  append_time(line);
  line += fmt::format(" {:<5} ", name_of(level));
  if (!who.tag.empty()) line += fmt::format("[{}] ", who.tag);
  append_escaped(line, text, PIPE_BUF - 1);
  line += '\n';
  return line;
}

// The message comes last, because it is what a line that is too long lacks.
std::string json_line(Level level, const Writer& who, std::string_view text, std::string_view request_id) {
  constexpr std::string_view end = "}\n";
  std::string line = R"({"time":")";
  append_time(line);
  line += fmt::format(R"(","level":"{}","pid":{})", name_of(level), ::getpid());
  if (who.generation) line += fmt::format(R"(,"generation":{})", *who.generation);
  if (!request_id.empty()) {
    line += R"(,"request_id":)";
    append_json_string(line, request_id, PIPE_BUF / 2);
  }
  line += R"(,"message":)";
  append_json_string(line, text, PIPE_BUF - end.size());
  line += end;
  return line;
}

std::string make_line(Level level, const Writer& who, std::string_view text, std::string_view request_id) {
  return format() == Format::json ? json_line(level, who, text, request_id) : text_line(level, who, text);
}

std::string gap_line(std::uint64_t lines) {
  return make_line(Level::warning, the_log()->who,
                   fmt::format("log: {} lines lost, standard error was too slow", lines), {});
}

}  // namespace

void start(Level level) {
  auto log = the_log();
  if (!log->writer) {
    handoff::UniqueFd copy(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    log->writer = std::make_unique<LineWriter>(
        std::move(copy), LineWriter::Options{queue_bytes_max, LineWriter::WhenFull::drop_oldest, gap_line, {}});
  }
  threshold = static_cast<int>(level);
}

void set_level(Level level) {
  if (threshold != off) threshold = static_cast<int>(level);
}

void set_writer(const Writer& writer) {
  the_log()->who = writer;
}

bool has_writer() {
  return !the_log()->who.tag.empty();
}

void set_format(Format format) {
  chosen_format.store(format, std::memory_order_relaxed);
}

Format format() {
  return chosen_format.load(std::memory_order_relaxed);
}

std::vector<std::string> environment() {
  if (format() == Format::text) return {};
  return {std::string(format_variable) + "=" + std::string(json_name)};
}

void take_format_from_environment() {
  const char* const given = std::getenv(format_variable);
  if (given != nullptr && given == json_name) set_format(Format::json);
  ::unsetenv(format_variable);
}

void stop() {
  threshold = off;
  const std::unique_ptr<LineWriter> writer = std::move(the_log()->writer);
  if (writer) writer->stop(stop_limit);
}

bool enabled(Level level) {
  return static_cast<int>(level) >= threshold.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view text, std::string_view request_id) {
  if (!enabled(level)) return;
  auto log = the_log();
  if (log->writer) log->writer->write(make_line(level, log->who, text, request_id));
}

}  // namespace baton::runtime::log
