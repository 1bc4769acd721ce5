// Rewrites heads and trailers for the other side: removes hop-by-hop fields (RFC 9110 §7.6.1), adds X-Forwarded-*, and
// leaves everything else unchanged, including order and case. The result is one contiguous piece, ready to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/http1/edits.hpp"
#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/state/buffer.hpp"
#include "proxy/state/stream.hpp"

namespace baton::http1 {

// What the upstream learns about the client. It comes from outside the head; whatever it contains, it cannot end a
// field.
struct ForwardedBy {
  std::string_view client_address;   // for X-Forwarded-For: an IP address without port, or "unknown" (RFC 7239 §6);
                                     // or several, the client first
  bool https = false;                // for X-Forwarded-Proto
  std::string_view client_subject{}; // of its verified certificate, for X-Forwarded-Client-Subject; empty: no such field
  bool underscores = false;          // forward fields with an underscore in their names, except those never forwarded
  bool to_stream = false;            // of HTTP/2: without the fields of a connection (RFC 9113 §8.2.2)
  const RequestChanges* changes = nullptr;  // null: none
};

// Appends the request head as the upstream gets it: the same method; the target in origin-form (an absolute-form target
// is cut to its path, and Host then names its authority; `OPTIONS http://host` becomes `OPTIONS *`); always HTTP/1.1.
// The upstream connection is persistent by default, so the Connection field names only an upgrade to WebSocket and `TE:
// trailers`. Removed are Connection and every field it names, Keep-Alive, Proxy-Connection, other codings in TE, other
// protocols in Upgrade, and HTTP2-Settings. Trailer stays. A Connection field can never remove Host, Content-Length,
// Transfer-Encoding, Expect or the X-Forwarded-* that we write. Fields that frame or route the message are forwarded in
// canonical form (no blanks except one after the colon, no list, no odd case). Client fields that identify the client
// (FieldName::client_identity) are removed, and ours are added. An HTTP/1.0 request without Host gets no
// X-Forwarded-Host and an empty Host field; its Expect is removed.
void write_request_head(const RequestHead& head, const RequestMeaning& meaning, const ForwardedBy& by,
                        state::Buffer& out);

// The same for a stream of HTTP/2: appends to its `heads`, with the authority instead of Host. An upgrade becomes an
// extended CONNECT (RFC 8441). `ends`: no content and no trailers follow.
void write_request_block(const RequestHead& head, const RequestMeaning& meaning, ForwardedBy by, bool ends,
                         state::Stream& stream);

struct ResponseRules {
  bool client_http10 = false;     // the status line still says HTTP/1.1 (RFC 9110 §6.2); the body is dechunked, so
                                  // Transfer-Encoding and Trailer are removed
  bool close = false;             // write `Connection: close`
  bool announce_keep_alive = false; // write `Connection: keep-alive` (an HTTP/1.0 client that asked for it)
  bool switching_protocols = false; // a 101 that was asked for: keep Connection: upgrade and Upgrade
  bool to_stream = false;         // of HTTP/2, which has neither Transfer-Encoding nor Upgrade (RFC 9113 §8.2.2)
  bool adds_chunks = false;       // the body, which came without a length, goes on in chunks
  bool adds_no_length = false;    // there is no content, and the head does not say so: write `Content-Length: 0`
  const ResponseChanges* changes = nullptr;  // null: none
  std::int64_t unix_time_s = 0;   // for Date, if the upstream sent none; 0: there is no clock, and no Date is written
};

// Appends the response head as the client gets it: status and reason unchanged, without hop-by-hop fields. A 1xx or
// 204 also loses Content-Length and Transfer-Encoding, which it must not have (RFC 9110 §8.6, RFC 9112 §6.1). Fields
// that frame the message, and fields with a blank after their name, are written in canonical form. A 426 keeps its
// Upgrade. A final response without Date gets one (RFC 9110 §6.6.1).
void write_response_head(const ResponseHead& head, const ResponseRules& rules, state::Buffer& out);

// The same for a stream of HTTP/2: appends to its `heads`. `ends`: no content and no trailers follow.
void write_response_block(const ResponseHead& head, ResponseRules rules, bool ends, state::Stream& stream);
// Sets `trailers_out`, if there is a field that may go on. The rest is as in `write_trailers`.
void write_trailers_block(const std::vector<Field>& fields, bool underscores, state::Stream& stream,
                          std::string_view removed = {});

// Appends a trailer section including its empty line, without the fields that frame, route, authenticate, identify the
// client or change how the content is read (RFC 9110 §6.5.1). `underscores`: as in ForwardedBy.
// `removed`: names that the route removes or sets, as in Edits.
void write_trailers(const std::vector<Field>& fields, bool underscores, state::Buffer& out,
                    std::string_view removed = {});

// A response of our own. Its length is announced, except where there cannot be content (`has_no_content`).
struct OwnResponse {
  std::uint16_t status = 500;
  std::string_view fields{};                     // more of them, each a whole line with its CR LF
  std::string_view content_type = "text/plain";  // empty: no such field
  std::optional<std::string_view> body{};        // nothing: a line that names the status
  bool close = true;                             // write `Connection: close`
  bool announce_keep_alive = false;  // write `Connection: keep-alive` (an HTTP/1.0 client that asked for it)
  bool head_only = false;            // the response to HEAD
  std::int64_t unix_time_s = 0;      // for Date
  OwnField more{};                   // no name: none
  bool is_configured = false;        // whose `fields` say what a 405 allows
};
// Appends the head, with Allow for a 405, and at most `body_bytes_max` bytes of the body. Returns how many those were.
std::size_t write_own_response(const OwnResponse& response, state::Buffer& out,
                               std::size_t body_bytes_max = std::string_view::npos);

// A response with this status ends with its head (RFC 9110 §6.4.1).
inline bool has_no_content(std::uint16_t status) {
  return status < 200 || status == 204 || status == 304;
}

// "Not Found" for 404; "Unknown" for a status without a name.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace baton::http1
