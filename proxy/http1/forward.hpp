// How heads and trailers are written anew for the other side: hop-by-hop fields out (RFC 9110 §7.6.1), X-Forwarded-*
// in, everything else as it came, order and case kept. One contiguous piece, ready to be sent.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/http1/meaning.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::http1 {

// What the upstream is told of the client. It comes from outside the head: whatever it holds, it cannot end a field.
struct ForwardedBy {
  std::string_view client_address;   // for X-Forwarded-For: an IP address without port, or "unknown" (RFC 7239 §6)
  bool https = false;                // for X-Forwarded-Proto
  std::string_view client_subject{}; // of its verified certificate, for X-Forwarded-Client-Subject; empty: no such field
  bool underscores = false;          // fields whose names have one go on, but for those that are never passed
};

// Appends the request head as the upstream gets it: same method; the target in origin-form (an absolute-form one is
// cut to its path, and Host then names its authority; `OPTIONS http://host` becomes `OPTIONS *`); HTTP/1.1 always.
// The upstream connection is kept alive by default, so the Connection field names only what follows it: an upgrade to
// WebSocket, and `TE: trailers`. Removed: Connection and all that it names, Keep-Alive, Proxy-Connection, other codings
// in TE, other protocols in Upgrade, HTTP2-Settings; Trailer stays; a Connection field can never remove Host,
// Content-Length, Transfer-Encoding, Expect or the X-Forwarded-* that we write. What frames or routes the message
// goes on in its canonical form (no blanks around it but the one after the colon; no list; no odd case).
// Fields of the client that tell who it is (FieldName::client_identity) are removed, ours are added.
// An HTTP/1.0 request without Host gets none in X-Forwarded-Host, and an empty Host field; its Expect is removed.
void write_request_head(const RequestHead& head, const RequestMeaning& meaning, const ForwardedBy& by,
                        state::Buffer& out);

struct ResponseRules {
  bool client_http10 = false;     // status line HTTP/1.1 all the same (RFC 9110 §6.2); chunked is taken off, so
                                  // Transfer-Encoding and Trailer are removed
  bool close = false;             // write `Connection: close`
  bool announce_keep_alive = false; // write `Connection: keep-alive` (an HTTP/1.0 client that asked for it)
  bool switching_protocols = false; // a 101 that was asked for: Connection: upgrade and Upgrade stay
  std::int64_t unix_time_s = 0;   // for Date, where the upstream sent none; 0: we have no clock and write none
};

// Appends the response head as the client gets it: status and reason as they came, hop-by-hop fields removed, and from
// a 1xx or 204 also Content-Length and Transfer-Encoding, which cannot be there (RFC 9110 §8.6, RFC 9112 §6.1). What
// frames the message goes on in its canonical form; so does a name with blanks behind it. A 426 keeps its Upgrade. A
// final response without Date gets one (RFC 9110 §6.6.1).
void write_response_head(const ResponseHead& head, const ResponseRules& rules, state::Buffer& out);

// Appends a trailer section, its empty line included, without the fields that frame, route, authenticate, tell who the
// client is or change how the content is read (RFC 9110 §6.5.1). `underscores`: as in ForwardedBy.
void write_trailers(const std::vector<Field>& fields, bool underscores, state::Buffer& out);

// Appends a whole response of our own (an error): status line, Date, Content-Type, Content-Length, Connection, Allow
// for 405, and a short text body that names the status. `head_only`: the answer to HEAD, without the body.
struct OwnResponse {
  std::uint16_t status = 500;
  bool close = true;
  bool head_only = false;
  std::int64_t unix_time_s = 0;    // for Date
};
// Gives the bytes of its content.
std::size_t write_own_response(const OwnResponse& response, state::Buffer& out);

// "Not Found" for 404; "Unknown" for what has no name.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace baton::http1
