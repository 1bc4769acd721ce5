#include "proxy/http1/head.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "proxy/http1/grammar.hpp"
#include "proxy/http1/scan.hpp"

namespace baton::http1 {

namespace {

constexpr HeadError more_than_a_head{400, "an empty line inside the head"};

std::string_view between(const char* first, const char* last) {
  return {first, static_cast<std::size_t>(last - first)};
}

Method method_of(std::string_view text) {
  switch (text.size()) {
    case 3:
      if (text == "GET") return Method::get;
      if (text == "PUT") return Method::put;
      break;
    case 4:
      if (text == "POST") return Method::post;
      if (text == "HEAD") return Method::head;
      break;
    case 5:
      if (text == "PATCH") return Method::patch;
      if (text == "TRACE") return Method::trace;
      break;
    case 6:
      if (text == "DELETE") return Method::delete_;
      break;
    case 7:
      if (text == "OPTIONS") return Method::options;
      if (text == "CONNECT") return Method::connect;
      break;
    default:
      break;
  }
  return Method::other;
}

// Names that begin with "X-" and describe the client, the host that it asked for or the scheme. Fields of a single
// vendor's network, such as CF-Connecting-IP, pass: only servers behind that vendor believe them.
FieldName extension_name(std::string_view name) {
  using enum FieldName;
  const char* const p = name.data();
  if (name.size() >= 12 && same_token<"x-forwarded-">(p)) return client_identity;
  switch (name.size()) {
    case 6:
      return same_token<"x-host">(p) ? client_identity : other;
    case 8:
      return same_token<"x-scheme">(p) ? client_identity : other;
    case 9:
      return same_token<"x-real-ip">(p) ? client_identity : other;
    case 11:
      return same_token<"x-client-ip">(p) || same_token<"x-remote-ip">(p) || same_token<"x-forwarded">(p)
                 ? client_identity
                 : other;
    case 12:
      return same_token<"x-url-scheme">(p) ? client_identity : other;
    case 13:
      return same_token<"x-remote-addr">(p) ? client_identity : other;
    case 14:
      return same_token<"x-proxyuser-ip">(p) ? client_identity : other;
    case 15:
      return same_token<"x-original-host">(p) ? client_identity : other;
    case 16:
      return same_token<"x-originating-ip">(p) ? client_identity : other;
    case 19:
      return same_token<"x-cluster-client-ip">(p) ? client_identity : other;
    case 20:
      return same_token<"x-http-host-override">(p) ? client_identity : other;
    case 24:
      return same_token<"x-original-forwarded-for">(p) ? client_identity : other;
    default:
      return other;
  }
}

// For a name of letters, digits and hyphens.
FieldName plain_name(std::string_view name) {
  using enum FieldName;
  const char* const p = name.data();
  switch (name.size()) {
    case 2:
      if (same_token<"te">(p)) return te;
      break;
    case 3:
      if (same_token<"via">(p)) return via;
      break;
    case 4:
      if (same_token<"host">(p)) return host;
      if (same_token<"date">(p)) return date;
      break;
    case 5:
      if (same_token<"proxy">(p)) return client_identity;
      break;
    case 6:
      if (same_token<"cookie">(p)) return cookie;
      if (same_token<"server">(p)) return server;
      if (same_token<"expect">(p)) return expect;
      break;
    case 7:
      if (same_token<"referer">(p)) return referer;
      if (same_token<"upgrade">(p)) return upgrade;
      if (same_token<"trailer">(p)) return trailer;
      break;
    case 9:
      if (same_token<"forwarded">(p) || same_token<"client-ip">(p)) return client_identity;
      break;
    case 10:
      if (same_token<"connection">(p)) return connection;
      if (same_token<"user-agent">(p)) return user_agent;
      if (same_token<"set-cookie">(p)) return set_cookie;
      if (same_token<"keep-alive">(p)) return keep_alive;
      break;
    case 11:
      if (same_token<"remote-addr">(p)) return client_identity;
      break;
    case 12:
      if (same_token<"content-type">(p)) return content_type;
      if (same_token<"max-forwards">(p)) return max_forwards;
      break;
    case 13:
      if (same_token<"cache-control">(p)) return cache_control;
      if (same_token<"authorization">(p)) return authorization;
      if (same_token<"content-range">(p)) return content_range;
      if (same_token<"forwarded-for">(p)) return client_identity;
      break;
    case 14:
      if (same_token<"content-length">(p)) return content_length;
      if (same_token<"http2-settings">(p)) return http2_settings;
      if (same_token<"true-client-ip">(p)) return client_identity;
      break;
    case 15:
      if (same_token<"front-end-https">(p) || same_token<"proxy-client-ip">(p)) return client_identity;
      break;
    case 16:
      if (same_token<"content-encoding">(p)) return content_encoding;
      if (same_token<"proxy-connection">(p)) return proxy_connection;
      if (same_token<"www-authenticate">(p)) return www_authenticate;
      break;
    case 17:
      if (same_token<"transfer-encoding">(p)) return transfer_encoding;
      if (same_token<"sec-websocket-key">(p)) return sec_websocket_key;
      break;
    case 18:
      if (same_token<"proxy-authenticate">(p)) return proxy_authenticate;
      if (same_token<"wl-proxy-client-ip">(p)) return client_identity;
      break;
    case 19:
      if (same_token<"proxy-authorization">(p)) return proxy_authorization;
      break;
    default:
      break;
  }
  return !name.empty() && (*p | 0x20) == 'x' ? extension_name(name) : other;
}

// As the names of CGI variables: some applications look for fields with such names.
bool is_identity_variable(std::string_view folded) {
  constexpr std::string_view prefix = "http-";
  return folded.size() > prefix.size() && same_token<"http-">(folded.data()) &&
         plain_name(folded.substr(prefix.size())) == FieldName::client_identity;
}

// For a name with another character. Servers that fold names read this character as a hyphen.
FieldName odd_name(std::string_view name) {
  std::string folded(name);
  std::replace_if(folded.begin(), folded.end(), [](char c) { return !is_plain_char(c); }, '-');
  switch (plain_name(folded)) {
    case FieldName::content_length:
    case FieldName::transfer_encoding:
      return FieldName::misspelt_framing;
    case FieldName::client_identity:
      return FieldName::client_identity;
    default:
      if (is_identity_variable(folded)) return FieldName::client_identity;
      return name.find('_') != std::string_view::npos ? FieldName::with_underscore : FieldName::other;
  }
}

// Every loop below relies on a CR, which no part of a line may contain, and an LF still being ahead.
bool ends_with_empty_line(std::string_view raw) {
  return raw.ends_with("\r\n\r\n");
}

// Reads the eight bytes of an HTTP-version at `p` and moves `p` past them.
HeadError read_version(const char*& p, const char* end, std::uint8_t& minor) {
  constexpr HeadError malformed{400, "malformed HTTP version"};
  if (end - p >= 8 && std::memcmp(p, "HTTP/1.1", 8) == 0) {  // nearly always it is just this
    minor = 1;
    p += 8;
    return {};
  }
  if (end - p < 8 || std::memcmp(p, "HTTP/", 5) != 0) return malformed;
  if (!is_digit(p[5]) || p[6] != '.' || !is_digit(p[7])) return malformed;
  if (p[5] != '1') return {505, "an HTTP version other than 1.x"};
  minor = p[7] == '0' ? 0 : 1;
  p += 8;
  return {};
}

// The end of the field name at `p`; sets `plain` if the name has only letters, digits and hyphens.
const char* read_name(const char* p, const char* end, bool& plain) {
  p = skip_word(p, end);
  unsigned common = plain_class;
  for (; *p != ':' && is_token_char(*p); ++p) common &= char_classes[static_cast<unsigned char>(*p)];
  plain = common != 0;
  return p;
}

// The field lines at `p`, inside a head that starts at `begin`, up to the empty line. `names`, and `past` the empty
// line, are set when all are good.
HeadError read_fields(const char* begin, const char* p, const char* end, const HeadLimits& limits, Sender from,
                      std::vector<Field>& fields, FieldNames& names, const char*& past) {
  FieldNames found;
  std::uint64_t fields_left = limits.fields == 0 ? UINT64_MAX : limits.fields;
  while (*p != '\r') {
    const char* const first = p;
    bool plain;
    p = read_name(p, end, plain);
    if (p == first) return {400, "a field without a name, or a folded line"};
    const std::string_view name = between(first, p);
    if (*p != ':') {
      if (from == Sender::server) {
        while (is_blank(*p)) ++p;
      }
      if (*p != ':') return {400, "a character that a field name cannot hold"};
    }
    const bool blank_before_colon = p != name.data() + name.size();

    if (*++p == ' ') ++p;  // the usual one
    while (is_blank(*p)) ++p;
    const char* const value = p;
    p = find_control(begin, p, end);
    if (p[0] != '\r') return {400, "a control character in a field"};
    if (p[1] != '\n') return {400, "a CR that ends no line"};
    const char* value_end = p;
    while (value_end != value && is_blank(value_end[-1])) --value_end;
    p += 2;

    if (fields_left-- == 0) return {431, "too many fields"};
    const FieldName id = plain ? plain_name(name) : odd_name(name);
    found.add(id);
    fields.emplace_back(name, between(value, value_end), between(first, p), id, blank_before_colon);
  }
  names = found;
  if (p[1] != '\n') return {400, "a CR that ends no line"};
  past = p + 2;
  return {};
}

HeadError read_request(std::string_view raw, const HeadLimits& limits, RequestHead& head) {
  if (!ends_with_empty_line(raw)) return {400, "the head does not end with an empty line"};
  const char* p = raw.data();
  const char* const end = p + raw.size();

  while (is_token_char(*p)) ++p;
  if (*p != ' ' || p == raw.data()) return {400, "malformed method"};
  head.method_text = between(raw.data(), p);
  head.method = method_of(head.method_text);

  const char* const target = ++p;
  p = find_no_target_char(raw.data(), p, end);
  head.target = between(target, p);
  if (limits.uri_bytes != 0 && head.target.size() > limits.uri_bytes) return {414, "the target is too long"};
  if (*p != ' ' || p == target) return {400, "malformed target, or no HTTP version"};
  ++p;

  if (const HeadError error = read_version(p, end, head.minor_version)) return error;
  if (p[0] != '\r' || p[1] != '\n') return {400, "something after the HTTP version"};
  p += 2;
  head.start_line = between(raw.data(), p);
  const char* past = raw.data();
  const HeadError error = read_fields(raw.data(), p, end, limits, Sender::client, head.fields, head.names, past);
  head.bytes = static_cast<std::size_t>(past - raw.data());
  return error;
}

HeadError read_response(std::string_view raw, const HeadLimits& limits, ResponseHead& head) {
  if (!ends_with_empty_line(raw)) return {502, "the head does not end with an empty line"};
  const char* p = raw.data();
  const char* const end = p + raw.size();

  if (const HeadError error = read_version(p, end, head.minor_version)) return error;
  if (p[0] != ' ' || p[1] < '1' || p[1] > '9' || !is_digit(p[2]) || !is_digit(p[3])) return {502, "malformed status"};
  head.status = static_cast<std::uint16_t>((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
  p += 4;

  // Some servers' status lines lack the space before an empty reason.
  if (*p == ' ') {
    const char* const reason = ++p;
    p = find_control(raw.data(), p, end);
    head.reason = between(reason, p);
  } else {
    head.reason = {};
  }
  if (p[0] != '\r' || p[1] != '\n') return {502, "malformed status or reason"};
  p += 2;
  head.start_line = between(raw.data(), p);
  const char* past = raw.data();
  const HeadError error = read_fields(raw.data(), p, end, limits, Sender::server, head.fields, head.names, past);
  head.bytes = static_cast<std::size_t>(past - raw.data());
  return error;
}

// The LFs of the block at `p` that do not merely end another line of the head: no CR precedes them, or the line is
// empty. The two bytes before `p` belong to the head.
auto match_other_lf(const char* p) {
  const auto lf = Block{p}.match_equal('\n');
  return lf == 0 ? lf : lf & (~Block{p - 1}.match_equal('\r') | Block{p - 2}.match_equal('\n'));
}

// What such an LF means.
HeadEnd last_lf(const char* begin, const char* lf) {
  if (lf == begin || lf[-1] != '\r') return {HeadEnd::Found::malformed, 0};
  return {HeadEnd::Found::yes, static_cast<std::size_t>(lf + 1 - begin)};
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

FieldName field_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), is_plain_char) ? plain_name(name) : odd_name(name);
}

HeadEnd find_head_end(std::string_view input, std::uint32_t& scanned) {
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  if (scanned < 2) {
    if (input.starts_with('\n')) return last_lf(begin, begin);
    if (input.size() > 1 && begin[1] == '\n') return last_lf(begin, begin + 1);
  }
  const char* p = begin + std::min<std::size_t>(std::max(scanned, 2U), input.size());
  for (; end - p >= Block::bytes; p += Block::bytes) {
    if (const auto match = match_other_lf(p)) return last_lf(begin, p + Block::first(match));
  }
  if (p != end && end - begin >= Block::bytes + 2) {
    const char* const last = end - Block::bytes;
    const auto match = Block::without_first(match_other_lf(last), p - last);
    if (match != 0) return last_lf(begin, last + Block::first(match));
    p = end;
  }
  for (; p != end; ++p) {
    if (*p == '\n' && (p[-1] != '\r' || p[-2] == '\n')) return last_lf(begin, p);
  }
  scanned = static_cast<std::uint32_t>(input.size());
  return {HeadEnd::Found::no, 0};
}

HeadError parse_first_request_head(std::string_view raw, const HeadLimits& limits, RequestHead& head) {
  head.fields.clear();
  return read_request(raw, limits, head);
}

HeadError parse_request_head(std::string_view raw, const HeadLimits& limits, RequestHead& head) {
  const HeadError error = parse_first_request_head(raw, limits, head);
  return !error && head.bytes != raw.size() ? more_than_a_head : error;
}

HeadError parse_first_response_head(std::string_view raw, const HeadLimits& limits, ResponseHead& head) {
  head.fields.clear();
  return read_response(raw, limits, head);
}

HeadError parse_response_head(std::string_view raw, const HeadLimits& limits, ResponseHead& head) {
  HeadError error = parse_first_response_head(raw, limits, head);
  if (!error && head.bytes != raw.size()) error = more_than_a_head;
  if (error) error.status = 502;
  return error;
}

HeadError parse_trailers(std::string_view raw, const HeadLimits& limits, Sender from, std::vector<Field>& fields) {
  fields.clear();
  if (raw != "\r\n" && !ends_with_empty_line(raw)) return {400, "the trailers do not end with an empty line"};
  FieldNames names;
  const char* const end = raw.data() + raw.size();
  const char* past = raw.data();
  const HeadError error = read_fields(raw.data(), raw.data(), end, limits, from, fields, names, past);
  return !error && past != end ? more_than_a_head : error;
}

}  // namespace baton::http1
