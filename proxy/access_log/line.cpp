#include "proxy/access_log/line.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "proxy/access_log/local_time.hpp"
#include "proxy/runtime/text.hpp"

namespace baton::access_log {

using config::Placeholder;

namespace {

constexpr std::string_view digits = "0123456789ABCDEF";

// Escapes as nginx does: what could end the quotes or the line, or break the reader's character set, becomes \xHH.
void append_escaped(std::string& line, std::string_view text, bool escapes_blanks = false) {
  if (text.empty()) line += '-';
  for (const char character : text) {
    const auto byte = static_cast<std::uint8_t>(character);
    const bool is_plain = byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
    if (is_plain && !(escapes_blanks && byte == ' ')) {
      line += character;
    } else {
      line += "\\x";
      line += digits[byte >> 4];
      line += digits[byte & 0xF];
    }
  }
}

void append_three_digits(std::string& line, std::uint64_t number) {
  for (const std::uint64_t unit : {100u, 10u, 1u}) line += digits[number / unit % 10];
}

// The value as it is. Valid until the thread's next call.
std::string_view value_of(const config::Template::Part& part, const Entry& entry) {
  thread_local std::string value;
  value.clear();
  entry.append(part, value);
  return value;
}
std::string_view value_of(Placeholder placeholder, const Entry& entry) {
  return value_of(config::Template::Part{.text = {}, .placeholder = placeholder, .field = {}}, entry);
}

void append_combined(const Entry& entry, std::string& line) {
  const state::AccessRecord& record = entry.record();
  // A client's own Unix path could hold blanks; nginx does not show it either.
  const auto& address = entry.client();
  append_escaped(line, address.family == state::Family::unix_path ? "unix:" : address.host_text());
  line += " - ";
  append_escaped(line, record.user);
  line += " [";
  line += local_second(entry.unix_ms() / 1000).common;
  line += "] \"";
  append_escaped(line, record.request_line);
  line += "\" ";
  append_three_digits(line, entry.status());
  line += ' ';
  line += value_of(Placeholder::bytes_out, entry);
  line += " \"";
  append_escaped(line, record.referer);
  line += "\" \"";
  append_escaped(line, record.user_agent);
  line += '"';
}

// The keys of the formats json and logfmt, in their order.
struct Key {
  std::string_view name;
  Placeholder value;
  bool may_be_missing = false;  // then it is left out
};
using P = Placeholder;
constexpr Key keys[] = {
    {"time", P::time},
    {"client", P::client},
    {"listener", P::listener},
    {"request", P::request},
    {"status", P::status},
    {"bytes", P::bytes_out},
    {"duration_ms", P::duration_ms},
    {"referer", P::none},
    {"user_agent", P::none},
    {"upstream", P::server},
    {"upstream_name", P::upstream},
    {"request_id", P::request_id, true},
    {"user", P::user, true},
    {"ended", P::ended},
    {"route", P::route},
    {"protocol", P::protocol},
    {"tls", P::tls_version},
    {"bytes_in", P::bytes_in},
    {"queue_ms", P::queue_ms},
    {"connect_ms", P::connect_ms},
    {"first_byte_ms", P::first_byte_ms},
    {"retries", P::retries},
    {"generation", P::generation},
};

std::string_view value_of(const Key& key, const Entry& entry) {
  if (key.value != P::none) return value_of(key.value, entry);
  return key.name == "referer" ? entry.record().referer.view() : entry.record().user_agent.view();
}

void append_json(const Entry& entry, std::string& line) {
  char before = '{';
  for (const Key& key : keys) {
    const std::string_view value = value_of(key, entry);
    if (value.empty() && key.may_be_missing) continue;
    line += before;
    before = ',';
    line += '"';
    line += key.name;
    line += "\":";
    if (value.empty()) {
      line += "null";
    } else if (is_number(key.value)) {
      line += value;
    } else {
      runtime::append_json_string(line, value);
    }
  }
  line += entry.is_cut() ? ",\"cut\":true}" : ",\"cut\":false}";
}

bool needs_quotes(std::string_view value) {
  return std::ranges::any_of(value, [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\'; });
}

// Keys without a value are left out.
void append_logfmt(const Entry& entry, std::string& line) {
  std::string_view before;
  for (const Key& key : keys) {
    const std::string_view value = value_of(key, entry);
    if (value.empty()) continue;
    line += before;
    before = " ";
    line += key.name;
    line += '=';
    if (needs_quotes(value)) {
      runtime::append_json_string(line, value);
    } else {
      line += value;
    }
  }
}

// Values made here may have blanks.
bool is_ours(Placeholder placeholder) {
  return placeholder == P::time || placeholder == P::time_local;
}

void append_text(const Format& format, const Entry& entry, std::string& line) {
  std::size_t at = 0;
  for (const config::Template::Part& part : format.text.parts()) {
    const bool in_quotes = format.in_quotes[at++];
    line += part.text;
    if (part.placeholder == P::none) continue;
    append_escaped(line, value_of(part, entry), !in_quotes && !is_ours(part.placeholder));
  }
}

}  // namespace

void append_line(const Format& format, const Entry& entry, std::string& lines) {
  if (!format.syslog_name.empty()) {
    lines += "<190>1 ";  // facility local7, severity info
    append_iso_time(lines, entry.unix_ms());
    lines += format.syslog_name;
  }
  switch (format.name) {
    case config::AccessFormat::combined:
      append_combined(entry, lines);
      break;
    case config::AccessFormat::json:
      append_json(entry, lines);
      break;
    case config::AccessFormat::logfmt:
      append_logfmt(entry, lines);
      break;
    case config::AccessFormat::text:
      append_text(format, entry, lines);
      break;
  }
  lines += '\n';
}

}  // namespace baton::access_log
