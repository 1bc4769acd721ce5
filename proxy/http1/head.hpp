// Our strict tokeniser for request and response heads (RFC 9112 §2 to §5): a pure function from the raw head to a
// table of views into it, built and dropped within one pass. Whatever it accepts, Boost.Beast's parser accepts with
// the same fields (tests and a fuzz target check that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "proxy/http1/sender.hpp"

namespace baton::http1 {

// The fields whose meaning we need; all others are `other` and pass as they came. The last three are kinds of names.
// Many servers make every character of a name that is neither a letter nor a digit an underscore (RFC 3875 §4.1.18), so
// names that differ in such characters only are one name to the applications behind them.
enum class FieldName : std::uint8_t {
  other, connection, content_length, expect, host, keep_alive, proxy_authenticate, proxy_authorization,
  proxy_connection, te, trailer, transfer_encoding, upgrade, http2_settings, user_agent, referer, date, server, via,
  authorization, cookie, set_cookie, cache_control, content_encoding, content_type, content_range, max_forwards,
  www_authenticate, sec_websocket_key,
  client_identity,           // from which applications learn who the client is and how it came, in any such spelling:
                             // X-Forwarded-*, Forwarded, X-Real-IP and the like
  misspelt_framing,          // such a spelling of Content-Length or Transfer-Encoding, other than the right one
  with_underscore,           // any other name with an underscore
};

// A set of them.
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

// The lines of a message lie side by side, in their order.
struct Field {
  std::string_view name;     // as it came, case kept
  std::string_view value;    // without the whitespace around it
  std::string_view line;     // the whole line with its CRLF
  FieldName id = FieldName::other;
  bool blank_before_colon = false;   // from a server; `line` must not go on as it is (RFC 9112 §5.1)
};

// Case-insensitive, as field names are (RFC 9110 §5.1). `name` is a token.
FieldName field_name(std::string_view name);
bool equals_ignoring_case(std::string_view a, std::string_view b);

// 0 = none.
struct HeadLimits {
  std::uint64_t uri_bytes = 0;
  std::uint64_t fields = 0;
};

enum class Method : std::uint8_t { other, get, head, post, put, delete_, options, trace, connect, patch };

// A reused table keeps its capacity: nothing is allocated per request in the steady state. The views point into the
// raw head and live as long as it does.
struct RequestHead {
  std::string_view method_text;
  Method method = Method::other;
  std::string_view target;
  std::uint8_t minor_version = 1;      // HTTP/1.0 or 1.1; an HTTP/1.x above is read as 1.1
  std::string_view start_line;         // the whole line with its CRLF
  std::vector<Field> fields;
  FieldNames names;                    // of the fields
};

struct ResponseHead {
  std::uint16_t status = 0;            // 100 to 999
  std::string_view reason;
  std::uint8_t minor_version = 1;
  std::string_view start_line;         // the whole line with its CRLF
  std::vector<Field> fields;
  FieldNames names;                    // of the fields
};

// Why a head is refused: the status that a client gets for it (an upstream's bad head becomes 502), and a short
// sentence for the log. status 0: it is good.
struct HeadError {
  std::uint16_t status = 0;
  std::string_view text;
  explicit operator bool() const { return status != 0; }
};

// Looks for the empty line that ends a head, linearly however the bytes drip in: `scanned` is where the last call
// stopped (0 at first) and is only a cache. A line that ends in a bare LF is malformed at once. An empty line that
// comes first is found as a head of 2 bytes, which no parser takes: before a request a caller may pass over it
// (RFC 9112 §2.2).
struct HeadEnd {
  enum class Found : std::uint8_t { no, yes, malformed } found = Found::no;
  std::size_t bytes = 0;               // of the head with its empty line, when found
};
HeadEnd find_head_end(std::string_view input, std::uint32_t& scanned);

// `raw` is a whole head, its empty line included. Refused: bare CR or LF, NUL and other controls, whitespace before a
// colon of a request, obs-fold, empty names, targets with characters below 0x21 or above 0x7e, versions other than
// HTTP/1.x (505).
HeadError parse_request_head(std::string_view raw, const HeadLimits& limits, RequestHead& head);
HeadError parse_response_head(std::string_view raw, const HeadLimits& limits, ResponseHead& head);

// The trailer section of a chunked body, its empty line included: fields only, as strict as in a head of that sender.
HeadError parse_trailers(std::string_view raw, const HeadLimits& limits, Sender from, std::vector<Field>& fields);

}  // namespace baton::http1
