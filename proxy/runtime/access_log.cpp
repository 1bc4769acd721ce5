#include "proxy/runtime/access_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <mutex>
#include <string_view>
#include <system_error>

#include "proxy/runtime/line_writer.hpp"
#include "proxy/runtime/log.hpp"
#include "proxy/runtime/text.hpp"

namespace baton::runtime {

namespace {

using state::AccessRecord;
using state::ConnectionState;
using state::Exchange;

constexpr std::size_t queue_bytes_max = 8 * 1024 * 1024;

// A second of local time in both formats. Most lines fall into the second of the line before.
struct LocalSecond {
  std::int64_t unix_s = std::numeric_limits<std::int64_t>::min();
  std::string common;      // 22/Nov/2026:09:21:34 +0000
  std::string iso_time;    // 2026-11-22T09:21:34
  std::string iso_offset;  // +00:00
};

const LocalSecond& local_second(std::int64_t unix_s) {
  static constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  thread_local LocalSecond last;
  if (last.unix_s == unix_s) return last;
  const time_t time = unix_s;
  tm local{};
  ::localtime_r(&time, &local);
  const char sign = local.tm_gmtoff < 0 ? '-' : '+';
  const long offset_minutes = (local.tm_gmtoff < 0 ? -local.tm_gmtoff : local.tm_gmtoff) / 60;
  const auto clock = fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  last.unix_s = unix_s;
  last.common =
      fmt::format("{:02}/{}/{}:{} {}{:02}{:02}", local.tm_mday, months.at(static_cast<std::size_t>(local.tm_mon)),
                  local.tm_year + 1900, clock, sign, offset_minutes / 60, offset_minutes % 60);
  last.iso_time = fmt::format("{:04}-{:02}-{:02}T{}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, clock);
  last.iso_offset = fmt::format("{}{:02}:{:02}", sign, offset_minutes / 60, offset_minutes % 60);
  return last;
}

constexpr std::string_view digits = "0123456789ABCDEF";

// Escapes as nginx does: what could end the quotes or the line, or break the reader's character set, becomes \xHH.
void append_escaped(std::string& line, std::string_view text) {
  if (text.empty()) line += '-';
  for (const char character : text) {
    const auto byte = static_cast<std::uint8_t>(character);
    if (byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\') {
      line += character;
    } else {
      line += "\\x";
      line += digits[byte >> 4];
      line += digits[byte & 0xF];
    }
  }
}

void append_number(std::string& line, std::uint64_t number) {
  const fmt::format_int text(number);
  line.append(text.data(), text.size());
}

void append_three_digits(std::string& line, std::uint64_t number) {
  for (const std::uint64_t unit : {100u, 10u, 1u}) line += digits[number / unit % 10];
}

// An exchange that began before there was an access log has no record.
const AccessRecord& record_of(const Exchange& exchange) {
  static const AccessRecord none;
  return exchange.access ? *exchange.access : none;
}

void append_combined(const ConnectionState& connection, const Exchange& exchange, std::int64_t unix_ms,
                     std::string& line) {
  const AccessRecord& record = record_of(exchange);
  // A client's own Unix path could hold blanks; nginx does not show it either.
  const auto& address = state::client_of(exchange, connection.client_address);
  append_escaped(line, address.family == state::Family::unix_path ? "unix:" : address.host_text());
  line += " - ";
  append_escaped(line, record.user);
  line += " [";
  line += local_second(unix_ms / 1000).common;
  line += "] \"";
  append_escaped(line, record.request_line);
  line += "\" ";
  append_three_digits(line, exchange.status);
  line += ' ';
  append_number(line, exchange.response_bytes);
  line += " \"";
  append_escaped(line, record.referer);
  line += "\" \"";
  append_escaped(line, record.user_agent);
  line += "\"\n";
}

void append_json_text(std::string& line, std::string_view key, std::string_view text) {
  line += ",\"";
  line += key;
  line += "\":";
  if (text.empty()) {
    line += "null";
  } else {
    append_json_string(line, text);
  }
}

// The client's end of the exchange: the connection, or a stream.
const state::Flow& client_flow_of(const ConnectionState& connection, const Exchange& exchange) {
  if (const state::Http2* const http2 = connection.http2()) {
    for (const auto& side : http2->streams) {
      if (side->exchange.get() == &exchange) return side->client;
    }
  }
  return connection.client;
}

// The client has received the beginning of a response and will get no more of it.
bool is_cut(const ConnectionState& connection, const Exchange& exchange) {
  const bool all_sent = client_flow_of(connection, exchange).all_sent();
  const auto* relaying = std::get_if<state::Relaying>(&exchange.phase);
  if (relaying == nullptr) return std::holds_alternative<state::Answering>(exchange.phase) && !all_sent;
  const auto* response = std::get_if<state::ResponseRelayed>(&relaying->response);
  return response != nullptr && !(std::holds_alternative<state::NoBody>(response->body) && all_sent);
}

void append_json(const ConnectionState& connection, const Exchange& exchange, std::string_view upstream,
                 std::int64_t unix_ms, std::int64_t duration_ms, std::string& line) {
  const AccessRecord& record = record_of(exchange);
  const LocalSecond& second = local_second(unix_ms / 1000);
  line += "{\"time\":\"";
  line += second.iso_time;
  line += '.';
  append_three_digits(line, static_cast<std::uint64_t>(unix_ms % 1000));
  line += second.iso_offset;
  line += '"';
  append_json_text(line, "client", state::client_of(exchange, connection.client_address).host_text());
  append_json_text(line, "listener", connection.listener);
  append_json_text(line, "request", record.request_line);
  line += ",\"status\":";
  append_number(line, exchange.status);
  line += ",\"bytes\":";
  append_number(line, exchange.response_bytes);
  line += ",\"duration_ms\":";
  append_number(line, static_cast<std::uint64_t>(duration_ms));
  append_json_text(line, "referer", record.referer);
  append_json_text(line, "user_agent", record.user_agent);
  append_json_text(line, "upstream", record.upstream);
  append_json_text(line, "upstream_name", record.upstream.empty() ? "" : upstream);
  if (exchange.extras && !exchange.extras->request_id.empty()) {
    append_json_text(line, "request_id", exchange.extras->request_id);
  }
  if (!record.user.empty()) append_json_text(line, "user", record.user);
  line += is_cut(connection, exchange) ? ",\"cut\":true" : ",\"cut\":false";
  line += "}\n";
}

// Opening a FIFO does not block: without a reader it fails. A full FIFO blocks only the writer's thread.
handoff::UniqueFd open_log(const std::string& path) {
  const int descriptor =
      path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                  : ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "access log " + path);
  return handoff::UniqueFd(descriptor);
}

LineWriter::Options options_for(const std::string& path) {
  LineWriter::Options options{.queue_bytes_max = queue_bytes_max, .when_full = LineWriter::WhenFull::drop_newest};
  options.on_gap = [path](std::uint64_t lines) {
    log::warning("access log {}: {} lines lost, it cannot keep up", path, lines);
    return std::string();
  };
  options.on_failure = [path](int error) {
    log::error("access log {}: {}; lines are lost", path, std::generic_category().message(error));
  };
  return options;
}

}  // namespace

void append_access_line(AccessFormat format, const ConnectionState& connection, const Exchange& exchange,
                        std::string_view upstream, std::int64_t now_ms, std::string& lines) {
  // The line's time is the end of the exchange, as with nginx: its start plus the time elapsed on the monotonic clock.
  const std::int64_t duration_ms = std::max<std::int64_t>(now_ms - exchange.started_ms, 0);
  const std::int64_t unix_ms = std::max<std::int64_t>(exchange.started_unix_us / 1000 + duration_ms, 0);
  switch (format) {
    case AccessFormat::combined:
      return append_combined(connection, exchange, unix_ms, lines);
    case AccessFormat::json:
      return append_json(connection, exchange, upstream, unix_ms, duration_ms, lines);
  }
}

class AccessLog::Writer {
 public:
  explicit Writer(const std::string& path) : path_(path), lines_(open_log(path), options_for(path)) {}

  LineWriter& lines() { return lines_; }

  void reopen() {
    if (path_ == "-") return;
    // Among concurrent calls, the last to open the file is also the last to replace it.
    const std::lock_guard lock(reopening_);
    try {
      lines_.replace(open_log(path_));
    } catch (const std::system_error& error) {
      log::error("{}; the old file stays in use", error.what());
    }
  }

 private:
  const std::string path_;
  std::mutex reopening_;
  LineWriter lines_;
};

AccessLog::AccessLog(const std::string& path) : writer_(std::make_unique<Writer>(path)) {}

AccessLog::~AccessLog() = default;

void AccessLog::write(std::string lines) {
  writer_->lines().write(std::move(lines));
}

void AccessLog::reopen() {
  writer_->reopen();
}

std::uint64_t AccessLog::lines_dropped() const {
  return writer_->lines().lines_dropped();
}

}  // namespace baton::runtime
