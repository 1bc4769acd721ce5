#include "proxy/http1/forward.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "proxy/http1/grammar.hpp"
#include "proxy/http1/scan.hpp"

namespace baton::http1 {

namespace {

// A set of field names.
class Names {
 public:
  constexpr Names(std::initializer_list<FieldName> names) {
    for (const FieldName name : names) bits_ |= bit(name);
  }
  constexpr bool has(FieldName name) const { return (bits_ & bit(name)) != 0; }
  constexpr void add(FieldName name) { bits_ |= bit(name); }
  constexpr void add(const Names& names) { bits_ |= names.bits_; }
  constexpr void remove(const Names& names) { bits_ &= ~names.bits_; }

 private:
  static constexpr std::uint64_t bit(FieldName name) { return std::uint64_t{1} << static_cast<unsigned>(name); }
  std::uint64_t bits_ = 0;
};

using enum FieldName;
constexpr Names hop_by_hop{connection, keep_alive, proxy_connection, te, upgrade, http2_settings};
// What frames or routes a message, or asks for something: a blank or a case that neighbours read in two ways ends here.
constexpr Names canonical_in_request{host, content_length, transfer_encoding, upgrade, expect};
constexpr Names canonical_in_response{content_length, transfer_encoding, upgrade};
constexpr Names never_removed_by_name{host, content_length, transfer_encoding, upgrade, expect, date};
constexpr Names harmless_in_trailers{other, date, server, user_agent, referer, via};

// Writes at most `bytes_max` bytes behind those of a buffer. Pieces that lie side by side in the source are copied in one
// go.
class Writer {
 public:
  Writer(state::Buffer& out, std::size_t bytes_max)
      : begin_(out.prepare(bytes_max)), end_(begin_ + bytes_max), to_(begin_) {}

  void copy(std::string_view piece) {
    if (piece.data() != run_end_) {
      flush();
      run_begin_ = piece.data();
    }
    run_end_ = piece.data() + piece.size();
  }

  // What comes from outside a head. Nothing else vouches for it: a control character, which could end the field,
  // becomes a question mark.
  void foreign(std::string_view text) {
    if (text.empty()) return;
    flush();
    std::memcpy(to_, text.data(), text.size());
    char* const end = to_ + text.size();
    // There is room for a whole block behind it.
    for (; to_ < end; to_ += Block::bytes) {
      const auto control = Block{to_}.match_below_or_del(' ');
      if (control == 0 || Block::first(control) >= end - to_) continue;
      std::replace_if(to_, end, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
    }
    to_ = end;
  }

  // A field's line as it came.
  void line(const Field& field) {
    if (field.blank_before_colon) return this->field(field, field.value);
    copy(field.line);
  }

  // `Name: value`, also where it came otherwise. `value` is the field's own or another.
  void field(const Field& field, std::string_view value) {
    const char* const name_end = field.name.data() + field.name.size();
    const char* const line_end = field.line.data() + field.line.size();
    const bool is_so_already =
        value.data() == name_end + 2 && name_end[1] == ' ' && value.data() + value.size() + 2 == line_end;
    if (is_so_already) return copy(field.line);
    copy(field.name);
    literal(": ");
    copy(value);
    literal("\r\n");
  }

  // For short literals, whose copy the compiler writes out.
  template <std::size_t size_with_nul>
  void literal(const char (&text)[size_with_nul]) {
    flush();
    std::memcpy(to_, text, size_with_nul - 1);
    to_ += size_with_nul - 1;
  }

  // Three digits.
  void status(std::uint16_t status) {
    flush();
    *to_++ = static_cast<char>('0' + status / 100 % 10);
    *to_++ = static_cast<char>('0' + status / 10 % 10);
    *to_++ = static_cast<char>('0' + status % 10);
  }

  std::size_t finish() {
    flush();
    return static_cast<std::size_t>(to_ - begin_);
  }

 private:
  void flush() {
    if (run_begin_ == run_end_) return;
    const auto bytes = static_cast<std::size_t>(run_end_ - run_begin_);
    if (bytes > static_cast<std::size_t>(end_ - to_)) [[unlikely]] std::abort();      // `bytes_max` was a lie
    std::memcpy(to_, run_begin_, bytes);
    to_ += bytes;
    run_begin_ = run_end_ = nullptr;
  }

  char* begin_;
  char* end_;
  char* to_;
  const char* run_begin_ = nullptr;
  const char* run_end_ = nullptr;
};

// What one look over the fields tells before they are written.
struct Survey {
  std::size_t bytes_max = 0;      // of the lines, with a blank more in each
  bool has_wanted = false;
  ConnectionOptions options;
};

Survey survey(const std::vector<Field>& fields, FieldName wanted) {
  Survey result;
  for (const Field& field : fields) {
    result.bytes_max += field.line.size() + 1;
    if (field.id == wanted) result.has_wanted = true;
    if (field.id == connection) add_connection_options(field.value, result.options);
  }
  return result;
}

// Few heads name fields in Connection, so their options are simply read again for each field.
bool named_by_connection(const std::vector<Field>& fields, std::string_view name) {
  for (const Field& field : fields) {
    if (field.id != connection) continue;
    std::string_view options = field.value;
    std::string_view option;
    while (next_token(options, option)) {
      if (equals_ignoring_case(option, name)) return true;
    }
  }
  return false;
}

// The value of one of the `canonical` fields of a message that has been found good: the field's own where that will do.
// Empty: it asks for nothing.
std::string_view canonical_value(const Field& field) {
  const auto own_or = [&field](std::string_view value) { return field.value == value ? field.value : value; };
  std::string_view list = field.value;
  std::string_view element;
  switch (field.id) {
    case content_length:
      // Zeros at the front make a number octal for some.
      while (list.size() > 1 && list.front() == '0') list.remove_prefix(1);
      return list;
    case transfer_encoding:
      return equals_ignoring_case(field.value, "chunked") ? own_or("chunked") : field.value;
    case expect:
      return next_element(list, element) ? own_or("100-continue") : "";
    case upgrade:
      if (!next_element(list, element)) return "";
      return is_token<"websocket">(element) && !next_element(list, element) ? own_or("websocket") : field.value;
    default:
      return field.value;
  }
}

// `canonical`: those that are written in their one form.
void copy_fields(const std::vector<Field>& fields, Names dropped, const Names& canonical, bool options_name_fields,
                 Writer& writer) {
  Names looked_at = dropped;
  looked_at.add(canonical);
  for (const Field& field : fields) {
    if (looked_at.has(field.id)) {
      if (dropped.has(field.id)) continue;
      const std::string_view value = canonical_value(field);
      if (!value.empty() || field.id == host) writer.field(field, value);
      if (field.id == expect && !value.empty()) dropped.add(expect);      // one says it all
      continue;
    }
    if (options_name_fields && !never_removed_by_name.has(field.id) && named_by_connection(fields, field.name))
      continue;
    writer.line(field);
  }
}

// A 426 must say to what (RFC 9110 §15.5.22).
bool asks_for_upgrade(const std::vector<Field>& fields) {
  return std::ranges::any_of(fields,
                             [](const Field& field) { return field.id == upgrade && !canonical_value(field).empty(); });
}

// All that is written here beside a head's own lines and views.
constexpr std::size_t own_bytes_max = 256;

// What an origin-form target is written as; empty: as it came.
std::string_view target_before_path(const RequestHead& head, const TargetParts& parts) {
  if (parts.authority.empty() || parts.path.starts_with('/')) return {};
  return head.method == Method::options && parts.path.empty() ? "*" : "/";
}

// IMF-fixdate (RFC 9110 §5.6.7), always 29 bytes.
std::array<char, 29> make_http_date(std::int64_t unix_time_s) {
  using namespace std::chrono;
  constexpr std::string_view days = "SunMonTueWedThuFriSat";
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const sys_seconds time{seconds{unix_time_s}};
  const sys_days day = floor<std::chrono::days>(time);
  const year_month_day calendar{day};
  const hh_mm_ss clock{time - day};

  std::array<char, 29> text;
  std::memcpy(text.data(), "Day, 00 Mon 0000 00:00:00 GMT", text.size());
  const auto number = [&text](std::size_t at, std::size_t digits, std::int64_t value) {
    for (; digits != 0; value /= 10) text[at + --digits] = static_cast<char>('0' + value % 10);
  };
  std::memcpy(text.data(), days.data() + 3 * weekday{day}.c_encoding(), 3);
  number(5, 2, unsigned{calendar.day()});
  std::memcpy(text.data() + 8, months.data() + 3 * (unsigned{calendar.month()} - 1), 3);
  number(12, 4, int{calendar.year()});
  number(17, 2, clock.hours().count());
  number(20, 2, clock.minutes().count());
  number(23, 2, clock.seconds().count());
  return text;
}

// Most responses fall into the second of the response before.
std::string_view http_date(std::int64_t unix_time_s) {
  thread_local std::int64_t last_s = 0;
  thread_local std::array<char, 29> text = make_http_date(0);
  if (last_s != unix_time_s) {
    text = make_http_date(unix_time_s);
    last_s = unix_time_s;
  }
  return {text.data(), text.size()};
}

}  // namespace

void write_request_head(const RequestHead& head, const RequestMeaning& meaning, const ForwardedBy& by,
                        state::Buffer& out) {
  const TargetParts parts = split_target(head.target);
  const Survey fields = survey(head.fields, host);
  const bool own_host = !parts.authority.empty() || !fields.has_wanted;
  const std::size_t bytes_max = head.method_text.size() + head.target.size() + fields.bytes_max +
                                by.client_address.size() + by.client_subject.size() + 2 * meaning.host.size() +
                                own_bytes_max;

  Names dropped = hop_by_hop;
  dropped.add(client_identity);
  if (!by.underscores) dropped.add(with_underscore);
  if (own_host) dropped.add(host);
  if (head.minor_version == 0) dropped.add(expect);
  if (meaning.upgrade_websocket) dropped.remove({upgrade});

  Writer writer(out, bytes_max);
  if (parts.authority.empty() && head.start_line.ends_with(" HTTP/1.1\r\n")) {
    writer.copy(head.start_line);
  } else {
    writer.copy(head.method_text);
    writer.literal(" ");
    writer.copy(target_before_path(head, parts));
    writer.copy(parts.path);
    writer.literal(" HTTP/1.1\r\n");
  }
  if (own_host) {
    writer.literal("Host: ");
    writer.copy(meaning.host);
    writer.literal("\r\n");
  }
  copy_fields(head.fields, dropped, canonical_in_request, fields.options.names_fields, writer);
  if (meaning.takes_trailers) {
    writer.literal("TE: trailers\r\nConnection: TE");
    if (meaning.upgrade_websocket) writer.literal(", upgrade");
    writer.literal("\r\n");
  } else if (meaning.upgrade_websocket) {
    writer.literal("Connection: upgrade\r\n");
  }
  writer.literal("X-Forwarded-For: ");
  writer.foreign(by.client_address);
  if (by.https) {
    writer.literal("\r\nX-Forwarded-Proto: https");
  } else {
    writer.literal("\r\nX-Forwarded-Proto: http");
  }
  if (!meaning.host.empty()) {
    writer.literal("\r\nX-Forwarded-Host: ");
    writer.copy(meaning.host);
  }
  if (!by.client_subject.empty()) {
    writer.literal("\r\nX-Forwarded-Client-Subject: ");
    writer.foreign(by.client_subject);
  }
  writer.literal("\r\n\r\n");
  out.commit(writer.finish());
}

void write_response_head(const ResponseHead& head, const ResponseRules& rules, state::Buffer& out) {
  const Survey fields = survey(head.fields, date);

  Names dropped = hop_by_hop;
  if (rules.client_http10) dropped.add({transfer_encoding, trailer});
  if (head.status < 200 || head.status == 204) dropped.add({content_length, transfer_encoding});
  const bool names_upgrade = rules.switching_protocols || (head.status == 426 && asks_for_upgrade(head.fields));
  if (names_upgrade) dropped.remove({upgrade});

  Writer writer(out, head.reason.size() + fields.bytes_max + own_bytes_max);
  if (head.start_line.starts_with("HTTP/1.1 ") &&
      head.start_line.size() > std::string_view{"HTTP/1.1 200\r\n"}.size()) {
    writer.copy(head.start_line);
  } else {
    writer.literal("HTTP/1.1 ");
    writer.status(head.status);
    writer.literal(" ");
    writer.copy(head.reason);
    writer.literal("\r\n");
  }
  copy_fields(head.fields, dropped, canonical_in_response, fields.options.names_fields, writer);
  if (rules.unix_time_s != 0 && head.status >= 200 && !fields.has_wanted) {
    writer.literal("Date: ");
    writer.copy(http_date(rules.unix_time_s));
    writer.literal("\r\n");
  }
  if (names_upgrade) {
    writer.literal("Connection: upgrade");
    if (rules.close) {
      writer.literal(", close");
    } else if (rules.announce_keep_alive) {
      writer.literal(", keep-alive");
    }
    writer.literal("\r\n");
  } else if (rules.close) {
    writer.literal("Connection: close\r\n");
  } else if (rules.announce_keep_alive) {
    writer.literal("Connection: keep-alive\r\n");
  }
  writer.literal("\r\n");
  out.commit(writer.finish());
}

void write_trailers(const std::vector<Field>& fields, bool underscores, state::Buffer& out) {
  Names kept = harmless_in_trailers;
  if (underscores) kept.add(with_underscore);
  std::size_t bytes_max = own_bytes_max;
  for (const Field& field : fields) bytes_max += field.line.size();
  Writer writer(out, bytes_max);
  for (const Field& field : fields) {
    if (kept.has(field.id)) writer.line(field);
  }
  writer.literal("\r\n");
  out.commit(writer.finish());
}

std::size_t write_own_response(const OwnResponse& response, state::Buffer& out) {
  const std::string_view reason = reason_phrase(response.status);
  const std::string_view date = http_date(response.unix_time_s);
  const std::size_t body_bytes = 3 + 1 + reason.size() + 1;  // under 100, so its length has two digits
  const std::array<char, 2> length{static_cast<char>('0' + body_bytes / 10), static_cast<char>('0' + body_bytes % 10)};

  Writer writer(out, 2 * reason.size() + date.size() + own_bytes_max);
  writer.literal("HTTP/1.1 ");
  writer.status(response.status);
  writer.literal(" ");
  writer.copy(reason);
  writer.literal("\r\nDate: ");
  writer.copy(date);
  writer.literal("\r\nContent-Type: text/plain\r\nContent-Length: ");
  writer.copy(std::string_view{length.data(), length.size()}.substr(body_bytes < 10 ? 1 : 0));
  if (response.status == 405) writer.literal("\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
  if (response.close) writer.literal("\r\nConnection: close");
  writer.literal("\r\n\r\n");
  if (!response.head_only) {
    writer.status(response.status);
    writer.literal(" ");
    writer.copy(reason);
    writer.literal("\n");
  }
  out.commit(writer.finish());
  return response.head_only ? 0 : body_bytes;
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

}  // namespace baton::http1
