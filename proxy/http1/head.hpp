// Our strict tokeniser for request and response heads (RFC 9112 §2 to §5): a pure function from the raw head to a table
// of views into it, built and dropped within one pass. Boost.Beast's parser accepts whatever it accepts, with the same
// fields (checked by tests and a fuzz target).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "proxy/http1/sender.hpp"

namespace baton::http1 {

// The fields whose meaning we need; all others are `other` and are forwarded unchanged. The last three are kinds of
// names. Many servers turn every character of a name that is neither a letter nor a digit into an underscore (RFC 3875
// §4.1.18), so applications behind them see names that differ only in such characters as the same.
enum class FieldName : std::uint8_t {
  other, connection, content_length, expect, host, keep_alive, proxy_authenticate, proxy_authorization,
  proxy_connection, te, trailer, transfer_encoding, upgrade, http2_settings, user_agent, referer, date, server, via,
  authorization, cookie, set_cookie, cache_control, content_encoding, content_type, content_range, max_forwards,
  www_authenticate, sec_websocket_key,
  client_identity,           // tell applications who the client is and how it came, in any such spelling:
                             // X-Forwarded-*, Forwarded, X-Real-IP and the like; and Proxy, which programs behind CGI
                             // take for HTTP_PROXY, the proxy that they are to use
  misspelt_framing,          // such a spelling of Content-Length or Transfer-Encoding, except the right one
  with_underscore,           // any other name with an underscore
};

// A set of field names.
class FieldNames {
 public:
  constexpr FieldNames() = default;
  constexpr FieldNames(std::initializer_list<FieldName> names) {
    for (const FieldName name : names) add(name);
  }
  static constexpr FieldNames all() { return FieldNames{~std::uint64_t{0}}; }

  constexpr bool has(FieldName name) const { return (bits_ & bit(name)) != 0; }
  constexpr void add(FieldName name) { bits_ |= bit(name); }
  constexpr void remove(FieldName name) { bits_ &= ~bit(name); }
  constexpr FieldNames operator|(FieldNames other) const { return FieldNames{bits_ | other.bits_}; }
  constexpr FieldNames operator-(FieldNames other) const { return FieldNames{bits_ & ~other.bits_}; }

 private:
  static_assert(static_cast<unsigned>(FieldName::with_underscore) < 64);
  static constexpr std::uint64_t bit(FieldName name) { return std::uint64_t{1} << static_cast<unsigned>(name); }
  constexpr explicit FieldNames(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits_ = 0;
};

// The lines of a message are adjacent, in message order.
struct Field {
  std::string_view name;     // as received, case kept
  std::string_view value;    // without the whitespace around it
  std::string_view line;     // the whole line with its CRLF
  FieldName id = FieldName::other;
  bool blank_before_colon = false;   // from a server; `line` must not be forwarded as it is (RFC 9112 §5.1)
};

// Ignores case, as field names do (RFC 9110 §5.1). `name` is a token.
FieldName field_name(std::string_view name);
bool equals_ignoring_case(std::string_view a, std::string_view b);

// 0 = none.
struct HeadLimits {
  std::uint64_t uri_bytes = 0;
  std::uint64_t fields = 0;
};

enum class Method : std::uint8_t { other, get, head, post, put, delete_, options, trace, connect, patch };

// A reused table keeps its capacity, so nothing is allocated per request in the steady state. The views point into the
// raw head and are valid as long as it is.
struct RequestHead {
  std::string_view method_text;
  Method method = Method::other;
  std::string_view target;
  std::uint8_t minor_version = 1;      // HTTP/1.0 or 1.1; a higher HTTP/1.x counts as 1.1
  std::string_view start_line;         // the whole line with its CRLF
  std::vector<Field> fields;
  FieldNames names;                    // of the fields
  std::size_t bytes = 0;               // of the whole head with its empty line
};

struct ResponseHead {
  std::uint16_t status = 0;            // 100 to 999
  std::string_view reason;
  std::uint8_t minor_version = 1;
  std::string_view start_line;         // the whole line with its CRLF
  std::vector<Field> fields;
  FieldNames names;                    // of the fields
  std::size_t bytes = 0;               // of the whole head with its empty line
};

// Why a head is refused: the status that the client gets (502 for an upstream's bad head), and a short sentence for the
// log. status 0: the head is good.
struct HeadError {
  std::uint16_t status = 0;
  std::string_view text;
  explicit operator bool() const { return status != 0; }
};

// Looks for the empty line that ends a head, in linear time however slowly the bytes arrive: `scanned` is where the
// last call stopped (0 at first) and is only a cache. A line that ends in a bare LF is malformed at once. A leading
// empty line is found as a head of 2 bytes, which no parser accepts; before a request a caller may skip it (RFC 9112
// §2.2).
struct HeadEnd {
  enum class Found : std::uint8_t { no, yes, malformed } found = Found::no;
  std::size_t bytes = 0;               // of the head including its empty line, when found
};
HeadEnd find_head_end(std::string_view input, std::uint32_t& scanned);

// `raw` is a whole head including its empty line. Refused: bare CR or LF, NUL and other controls, whitespace before a
// colon in a request, obs-fold, empty names, targets with characters below 0x21 or above 0x7e, versions other than
// HTTP/1.x (505).
HeadError parse_request_head(std::string_view raw, const HeadLimits& limits, RequestHead& head);
HeadError parse_response_head(std::string_view raw, const HeadLimits& limits, ResponseHead& head);
// The same for `raw` that goes on after its first head, and ends with an empty line.
HeadError parse_first_request_head(std::string_view raw, const HeadLimits& limits, RequestHead& head);
HeadError parse_first_response_head(std::string_view raw, const HeadLimits& limits, ResponseHead& head);

// The trailer section of a chunked body including its empty line: only fields, as strict as in a head from that sender.
HeadError parse_trailers(std::string_view raw, const HeadLimits& limits, Sender from, std::vector<Field>& fields);

}  // namespace baton::http1
