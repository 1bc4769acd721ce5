#include "proxy/http1/meaning.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <variant>

#include "config/upgrades.hpp"
#include "proxy/http1/grammar.hpp"

namespace baton::http1 {

namespace {

// 1*DIGIT (RFC 9110 §8.6), at most `length_max`: its 19 digits cannot overflow 64 bits.
std::optional<std::uint64_t> content_length(std::string_view text) {
  if (text.empty() || text.size() > 19) return {};
  std::uint64_t length = 0;
  for (const char c : text) {
    if (!is_digit(c)) return {};
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (length > length_max) return {};
  return length;
}

enum class Coding { chunked, unknown, malformed };

// Only a lone `chunked` can be relayed. `malformed`: no recipient could read it, because it is not a list or chunked is
// not last.
Coding transfer_coding(std::string_view value) {
  if (is_token<"chunked">(value)) return Coding::chunked;
  bool chunked = false;
  bool unknown = false;
  std::string_view token;
  while (next_token(value, token)) {
    if (chunked) return Coding::malformed;
    (is_token<"chunked">(token) ? chunked : unknown) = true;
  }
  return unknown && value.empty() ? Coding::unknown : Coding::malformed;
}

// The fields that frame a body, as received.
struct FramingFields {
  unsigned content_lengths = 0;
  unsigned transfer_encodings = 0;
  std::string_view content_length;
  std::string_view transfer_encoding;

  void add(const Field& field) {
    if (field.id == FieldName::content_length) {
      ++content_lengths;
      content_length = field.value;
    } else {
      ++transfer_encodings;
      transfer_encoding = field.value;
    }
  }
};

// `none` is the framing of a message that has neither field.
HeadError frame(const FramingFields& fields, std::uint8_t minor_version, const state::BodyFraming& none,
                state::BodyFraming& body) {
  if (fields.transfer_encodings == 0 && fields.content_lengths == 0) {
    body = none;
    return {};
  }
  if (fields.transfer_encodings != 0) {
    if (fields.content_lengths != 0) return {400, "both Content-Length and Transfer-Encoding"};
    if (fields.transfer_encodings > 1) return {400, "several Transfer-Encoding fields"};
    if (minor_version == 0) return {400, "Transfer-Encoding in HTTP/1.0"};
    const Coding coding = transfer_coding(fields.transfer_encoding);
    if (coding == Coding::malformed) return {400, "malformed Transfer-Encoding"};
    if (coding == Coding::unknown) return {501, "a transfer coding other than chunked"};
    body = state::ByChunks{};
    return {};
  }
  if (fields.content_lengths > 1) return {400, "several Content-Length fields"};
  const auto length = content_length(fields.content_length);
  if (!length) return {400, "malformed Content-Length"};
  if (*length == 0) {
    body = state::NoBody{};
  } else {
    body = state::ByLength{*length};
  }
  return {};
}

bool is_idempotent(Method method) {
  switch (method) {
    case Method::get:
    case Method::head:
    case Method::options:
    case Method::trace:
    case Method::put:
    case Method::delete_:
      return true;
    default:
      return false;
  }
}

bool is_port(std::string_view text) {
  if (text.size() > 5) return false;
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = 10 * port + static_cast<unsigned>(c - '0');
  }
  return port < 65'536;
}

[[gnu::noinline]] bool is_ipv6(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  in6_addr address;
  return inet_pton(AF_INET6, terminated, &address) == 1;
}

// Longer ones are checked each time.
constexpr std::size_t host_bytes_kept = 255;

// A set of what a request asks for in fields that few requests have.
enum Asked : unsigned {
  one_upgrade = 1,
  several_upgrades = 2,
  continues = 4,
  other_expectation = 8,
  trailers = 16,
  misspelt_framing = 32,
};

// Adds what one more field asks for; `field` is Upgrade, Expect or TE. `upgrade` becomes the last protocol named.
unsigned with_list(unsigned asked, const Field& field, std::string_view& upgrade) {
  std::string_view list = field.value;
  for (std::string_view element; next_element(list, element);) {
    if (field.id == FieldName::upgrade) {
      asked |= (asked & one_upgrade) == 0 ? one_upgrade : several_upgrades;
      upgrade = element;
    } else if (field.id == FieldName::expect) {
      asked |= is_token<"100-continue">(element) ? continues : other_expectation;
    } else if (is_token<"trailers">(element)) {
      asked |= trailers;
    }
  }
  return asked;
}

// Another HTTP inside a tunnel would pass unchecked, and only a plain GET can open a WebSocket (RFC 6455 §4.1).
bool can_upgrade(std::string_view protocol, bool is_plain_get) {
  if (is_token<"websocket">(protocol)) return is_plain_get;
  return std::ranges::all_of(protocol, [](char c) { return is_token_char(c) || c == '/'; }) &&
         !config::is_http_protocol(protocol);
}

// Most requests name the host of the one before.
bool is_good_host(std::string_view host, std::string& last_good) {
  if (host == last_good) return true;
  if (!is_host_and_port(host)) return false;
  if (host.size() <= host_bytes_kept) last_good = host;
  return true;
}

// The target's form (RFC 9112 §3.2); an absolute-form one names the host.
HeadError read_target(const RequestHead& head, std::string_view& host) {
  constexpr HeadError malformed{400, "malformed target"};
  const std::string_view target = head.target;
  if (target.empty() || target.find('#') != std::string_view::npos) return malformed;
  if (target.front() == '/') return {};
  if (target == "*") return head.method == Method::options ? HeadError{} : malformed;
  const TargetParts parts = split_target(target);
  if (parts.authority.empty() || !is_host_and_port(parts.authority)) return malformed;
  host = parts.authority;
  return {};
}

}  // namespace

void add_connection_options(std::string_view value, ConnectionOptions& options) {
  if (is_token<"keep-alive">(value)) {  // nearly always it is just this
    options.keep_alive = true;
    if (++options.count > connection_options_max) options.malformed = true;
    return;
  }
  std::string_view option;
  while (options.count <= connection_options_max && next_token(value, option)) {
    ++options.count;
    if (is_token<"keep-alive">(option)) {
      options.keep_alive = true;
    } else if (is_token<"close">(option)) {
      options.close = true;
    } else if (is_token<"upgrade">(option)) {
      options.upgrade = true;
    } else {
      options.names_fields = true;
    }
  }
  if (options.count > connection_options_max || !value.empty()) options.malformed = true;
}

TargetParts split_other_target(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::string_view rest = target.substr(scheme.size());
    const std::size_t authority_bytes = std::min(rest.find_first_of("/?"), rest.size());
    return {rest.substr(0, authority_bytes), rest.substr(authority_bytes)};
  }
  return {{}, target};
}

bool is_host_and_port(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) return false;
    p += bracket + 1;
  } else {
    for (;; p += 3) {
      p = skip_host_chars(p, end);
      if (p == end || *p != '%') break;
      if (end - p < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0) return false;
    }
    if (p == text.data()) return false;
  }
  return p == end || (*p == ':' && is_port({p + 1, static_cast<std::size_t>(end - p - 1)}));
}

namespace {

// Into a fresh `meaning`, in place, because it is long.
[[gnu::always_inline]] inline HeadError read(const RequestHead& head, std::string& last_good_host,
                                             RequestMeaning& meaning) {
  FramingFields framing;
  ConnectionOptions options;
  ConnectionOptions ignored;
  unsigned asked = 0;
  unsigned hosts = 0;
  for (const Field& field : head.fields) {
    switch (field.id) {
      case FieldName::host:
        ++hosts;
        meaning.host = field.value;
        break;
      case FieldName::content_length:
      case FieldName::transfer_encoding:
        framing.add(field);
        break;
      case FieldName::connection:
        add_connection_options(field.value, options);
        break;
      case FieldName::proxy_connection:
        add_connection_options(field.value, ignored);
        break;
      case FieldName::upgrade:
      case FieldName::expect:
      case FieldName::te:
        asked = with_list(asked, field, meaning.upgrade);
        break;
      case FieldName::misspelt_framing:
        asked |= misspelt_framing;
        break;
      case FieldName::with_underscore:
        ++meaning.underscored_fields;
        break;
      default:
        break;
    }
  }

  if (head.method == Method::connect) return {405, "CONNECT to a reverse proxy"};
  if (hosts > 1) return {400, "several Host fields"};
  if (hosts == 0 && head.minor_version != 0) return {400, "no Host field"};
  if (!meaning.host.empty() && !is_good_host(meaning.host, last_good_host)) return {400, "malformed Host"};
  if (const HeadError error = read_target(head, meaning.host)) return error;
  if (options.malformed || ignored.malformed) return {400, "malformed Connection field"};
  if ((asked & misspelt_framing) != 0) return {400, "another spelling of Content-Length or Transfer-Encoding"};
  if (const HeadError error = frame(framing, head.minor_version, state::NoBody{}, meaning.body)) return error;
  if (head.minor_version == 0) asked = 0;       // HTTP/1.0 cannot ask for later features (RFC 9110 §10.1.1, §7.8)
  if ((asked & other_expectation) != 0) return {417, "an expectation other than 100-continue"};

  const bool body = !std::holds_alternative<state::NoBody>(meaning.body);
  meaning.keep_alive = !options.close && (head.minor_version != 0 || options.keep_alive);
  const bool wants_upgrade = options.upgrade && (asked & (one_upgrade | several_upgrades)) == one_upgrade;
  if (!wants_upgrade || !can_upgrade(meaning.upgrade, head.method == Method::get && !body)) meaning.upgrade = {};
  if (asked != 0) {
    meaning.expects_continue = (asked & continues) != 0 && body;
    meaning.takes_trailers = (asked & trailers) != 0;
  }
  meaning.idempotent = is_idempotent(head.method);
  return {};
}

}  // namespace

void read_meaning(const RequestHead& head, std::string& last_good_host, RequestMeaning& meaning) {
  meaning = {};
  meaning.error = read(head, last_good_host, meaning);
}

RequestMeaning request_meaning(const RequestHead& head) {
  RequestMeaning meaning;
  std::string no_host;
  read_meaning(head, no_host, meaning);
  return meaning;
}

ResponseMeaning response_meaning(const ResponseHead& head, Method request_method) {
  ResponseMeaning meaning;
  FramingFields framing;
  ConnectionOptions options;
  ConnectionOptions ignored;
  for (const Field& field : head.fields) {
    switch (field.id) {
      case FieldName::content_length:
      case FieldName::transfer_encoding:
        framing.add(field);
        break;
      case FieldName::connection:
        add_connection_options(field.value, options);
        break;
      case FieldName::proxy_connection:
        add_connection_options(field.value, ignored);
        break;
      default:
        break;
    }
  }
  if (options.malformed || ignored.malformed) {
    meaning.error = {502, "malformed Connection field"};
    return meaning;
  }
  if (const HeadError error = frame(framing, head.minor_version, state::UntilClose{}, meaning.body)) {
    meaning.error = {502, error.text};
    return meaning;
  }

  const bool never_framed = head.status < 200 || head.status == 204;
  const bool announces_body =
      std::holds_alternative<state::ByLength>(meaning.body) || std::holds_alternative<state::ByChunks>(meaning.body);
  if (never_framed || head.status == 304 || request_method == Method::head) meaning.body = state::NoBody{};
  meaning.keep_alive = !options.close && (head.minor_version != 0 || options.keep_alive) &&
                       !std::holds_alternative<state::UntilClose>(meaning.body) && !(never_framed && announces_body);
  return meaning;
}

}  // namespace baton::http1
