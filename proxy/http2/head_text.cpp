#include "proxy/http2/head_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace baton::http2 {

namespace {

enum Characters : std::uint8_t {
  of_name = 1,        // of a field name (RFC 9110 §5.6.2), in lower case (RFC 9113 §8.2.1)
  of_token = 2,       // the same in any case
  of_value = 4,       // anything but NUL, CR and LF
  of_target = 8,      // visible; a blank would end the target
  of_authority = 16,  // no userinfo (§8.3.1) and nothing that begins a path
};

constexpr std::array<std::uint8_t, 256> characters = [] {
  std::array<std::uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_mark =
        c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
    if (is_lower || is_digit || is_mark) table[c] |= of_name;
    if (is_lower || is_upper || is_digit || is_mark) table[c] |= of_token;
    if (c != 0 && c != '\r' && c != '\n') table[c] |= of_value;
    if (c > 0x20 && c != 0x7f) table[c] |= of_target;
    if (c > 0x20 && c < 0x7f && c != '@' && c != '/' && c != '?' && c != '#' && c != '\\') table[c] |= of_authority;
  }
  return table;
}();

// Each step takes four characters, which costs half of one at a time.
bool consists_of(std::string_view text, Characters kind) {
  const auto of = [](char c) { return characters[static_cast<unsigned char>(c)]; };
  unsigned all = kind;
  for (; text.size() >= 4; text.remove_prefix(4)) all &= of(text[0]) & of(text[1]) & of(text[2]) & of(text[3]);
  for (const char c : text) all &= of(c);
  return all != 0;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Whether one of eight bytes is below 0x0e, as the forbidden ones are.
bool may_be_forbidden(const char* eight) {
  constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
  std::uint64_t bytes;
  std::memcpy(&bytes, eight, sizeof bytes);
  return ((bytes - 0x0e * ones) & ~bytes & (0x80 * ones)) != 0;
}

bool is_value(std::string_view text) {
  constexpr std::size_t step = 8;
  if (text.empty()) return true;
  if (is_blank(text.front()) || is_blank(text.back())) return false;
  if (text.size() < step) return consists_of(text, of_value);
  const char* const last = text.data() + text.size() - step;
  bool is_suspect = may_be_forbidden(last);
  for (const char* at = text.data(); at < last; at += step) is_suspect |= may_be_forbidden(at);
  return !is_suspect || consists_of(text, of_value);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Fields of the connection, which a stream does not have (RFC 9113 §8.2.2).
bool is_of_connection(const HeaderField& field) {
  const std::string_view name = field.name;
  switch (name.size()) {
    case 2:
      return name == "te" && !equals_ignoring_case(field.value, "trailers");
    case 7:
      return name == "upgrade";
    case 10:
      return name == "connection" || name == "keep-alive";
    case 16:
      return name == "proxy-connection";
    case 17:
      return name == "transfer-encoding";
    default:
      return false;
  }
}

bool is_regular(const HeaderField& field) {
  return !field.name.empty() && consists_of(field.name, of_name) && is_value(field.value) && !is_of_connection(field);
}

// The pseudo-fields of a request (§8.3.1, RFC 8441 §4).
struct Pseudo {
  std::string_view method, scheme, authority, path, protocol;

  // False: there is no such field, or it is there twice, or empty.
  bool take(const HeaderField& field) {
    std::string_view* const to = field.name == ":method"      ? &method
                                 : field.name == ":scheme"    ? &scheme
                                 : field.name == ":authority" ? &authority
                                 : field.name == ":path"      ? &path
                                 : field.name == ":protocol"  ? &protocol
                                                              : nullptr;
    if (to == nullptr || to->data() != nullptr || field.value.empty()) return false;
    *to = field.value;
    return true;
  }

  bool is_connect() const { return method == "CONNECT"; }
  bool is_valid() const {
    if (method.empty() || !consists_of(method, of_token)) return false;
    if (!consists_of(authority, of_authority)) return false;
    if (is_connect() && protocol.empty()) return !authority.empty() && path.empty() && scheme.empty();
    if (!protocol.empty() && (!is_connect() || authority.empty() || !consists_of(protocol, of_token))) return false;
    return !scheme.empty() && consists_of(scheme, of_token) && is_path();
  }
  bool is_path() const {
    const bool is_whole_server = path == "*" && method == "OPTIONS";
    return (path.starts_with('/') || is_whole_server) && consists_of(path, of_target);
  }
};

class Text {
 public:
  Text(state::Buffer& out, std::size_t bytes_max) : out_(out), begin_(out.prepare(bytes_max)), to_(begin_) {}
  void add(std::string_view text) { to_ = std::copy(text.begin(), text.end(), to_); }
  void line(std::string_view name, std::string_view value) {
    add(name);
    add(": ");
    add(value);
    add("\r\n");
  }
  void finish() { out_.commit(static_cast<std::size_t>(to_ - begin_)); }

 private:
  state::Buffer& out_;
  char* begin_;
  char* to_;
};

constexpr std::size_t line_overhead = 4;
constexpr std::size_t own_bytes_max = 256;  // of the request line, Host and what an extended CONNECT adds

std::size_t bytes_of(std::span<const HeaderField> list) {
  std::size_t bytes = own_bytes_max;
  for (const HeaderField& field : list) bytes += field.name.size() + field.value.size() + line_overhead;
  return bytes;
}

std::optional<std::uint64_t> number_of(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size() && !digits.empty();
  return is_number ? std::optional(value) : std::nullopt;
}

}  // namespace

std::optional<RequestFacts> append_request(std::span<const HeaderField> list, state::Buffer& out) {
  Pseudo pseudo;
  std::size_t first = 0;
  while (first < list.size() && list[first].name.starts_with(':')) {
    if (!pseudo.take(list[first++])) return std::nullopt;
  }
  if (!pseudo.is_valid()) return std::nullopt;
  RequestFacts facts{.content_length = std::nullopt, .is_extended_connect = !pseudo.protocol.empty()};
  std::string_view host = pseudo.authority;
  std::size_t cookies = 0;
  bool has_key = false;
  const std::span<const HeaderField> fields = list.subspan(first);
  for (const HeaderField& field : fields) {
    if (!is_regular(field)) return std::nullopt;
    if (field.name == "host") {
      // Which of two would count (§8.3.1)?
      if (!host.empty() && !equals_ignoring_case(host, field.value)) return std::nullopt;
      if (!consists_of(field.value, of_authority)) return std::nullopt;
      host = field.value;
    } else if (field.name == "content-length") {
      facts.content_length = number_of(field.value);
      if (!facts.content_length) return std::nullopt;
    } else if (field.name == "cookie") {
      ++cookies;
    } else if (field.name == "sec-websocket-key") {
      has_key = true;
    }
  }
  Text text(out, bytes_of(list));
  text.add(facts.is_extended_connect ? "GET" : pseudo.method);
  text.add(" ");
  text.add(pseudo.is_connect() && !facts.is_extended_connect ? pseudo.authority : pseudo.path);
  text.add(" HTTP/1.1\r\n");
  if (!host.empty()) text.line("Host", host);
  for (const HeaderField& field : fields) {
    if (field.name == "host") continue;
    if (field.name == "cookie" && cookies > 1) continue;
    text.line(field.name, field.value);
  }
  if (cookies > 1) {
    text.add("cookie: ");
    std::string_view between;
    for (const HeaderField& field : fields) {
      if (field.name != "cookie") continue;
      text.add(between);
      text.add(field.value);
      between = "; ";
    }
    text.add("\r\n");
  }
  if (facts.is_extended_connect) {
    text.line("Connection", "Upgrade");
    text.line("Upgrade", pseudo.protocol);
    // Any 16 bytes: a client of HTTP/2 sends no key, so it does not check the server's answer to this one.
    if (!has_key) text.line("Sec-WebSocket-Key", "QmF0b24gaXMgYSBwcm94eQ==");
  }
  text.add("\r\n");
  text.finish();
  return facts;
}

std::optional<ResponseFacts> append_response(std::span<const HeaderField> list, state::Buffer& out) {
  if (list.empty() || list.front().name != ":status" || list.front().value.size() != 3) return std::nullopt;
  const std::string_view digits = list.front().value;
  const auto status = number_of(digits);
  // No protocol is switched on a stream (§8.6).
  if (!status || *status < 100 || *status == 101) return std::nullopt;
  ResponseFacts facts{.status = static_cast<std::uint16_t>(*status), .content_length = std::nullopt};
  const std::span<const HeaderField> fields = list.subspan(1);
  for (const HeaderField& field : fields) {
    if (field.name.starts_with(':') || !is_regular(field)) return std::nullopt;
    if (field.name != "content-length") continue;
    facts.content_length = number_of(field.value);
    if (!facts.content_length) return std::nullopt;
  }
  Text text(out, bytes_of(list));
  text.add("HTTP/1.1 ");
  text.add(digits);
  text.add(" \r\n");
  for (const HeaderField& field : fields) text.line(field.name, field.value);
  text.add("\r\n");
  text.finish();
  return facts;
}

bool append_trailers(std::span<const HeaderField> list, state::Buffer& out) {
  for (const HeaderField& field : list) {
    if (field.name.starts_with(':') || !is_regular(field)) return false;
  }
  Text text(out, bytes_of(list));
  for (const HeaderField& field : list) text.line(field.name, field.value);
  text.add("\r\n");
  text.finish();
  return true;
}

}  // namespace baton::http2
