// What a head means for its connection: how the body is framed, whether the connection persists, what was asked of us.
// Strict: anything that could be read in two ways is refused, not repaired (RFC 9112 §6, §9, §11).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/state/framing.hpp"

namespace baton::http1 {

// More options than this in the Connection fields of one head are malformed; each may name a field to remove.
inline constexpr unsigned connection_options_max = 32;

struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  bool names_fields = false;       // another option: the name of a field that must not be forwarded (RFC 9110 §7.6.1)
  bool malformed = false;
  unsigned count = 0;
};

// Adds the options of one more Connection field.
void add_connection_options(std::string_view value, ConnectionOptions& options);

// The parts of an absolute-form target; any other target has no authority and is its own path. The path of an
// absolute-form target may be empty or begin with '?'.
struct TargetParts {
  std::string_view authority;
  std::string_view path;
};
TargetParts split_other_target(std::string_view target);  // not in origin-form
inline TargetParts split_target(std::string_view target) {
  return target.starts_with('/') ? TargetParts{{}, target} : split_other_target(target);
}

// uri-host [":" port] (RFC 9110 §7.2): a registered name or address without commas, or an IPv6 address in brackets.
bool is_host_and_port(std::string_view text);

struct RequestMeaning {
  HeadError error;                 // if set, the rest means nothing
  state::BodyFraming body;
  bool keep_alive = true;          // the client wants the connection to persist (RFC 9112 §9.3)
  bool expects_continue = false;   // Expect: 100-continue from an HTTP/1.1 client that has a body to send; any other
                                   // expectation is 417
  std::string_view upgrade;        // the only protocol in Upgrade, with Connection: upgrade, from an HTTP/1.1 client;
                                   // empty: no such wish. Never HTTP/2; for WebSocket only in a GET without a body
  bool takes_trailers = false;     // TE: trailers from an HTTP/1.1 client (RFC 9110 §10.1.4)
  bool idempotent = false;         // RFC 9110 §9.2.2
  unsigned underscored_fields = 0; // FieldName::with_underscore
  std::string_view host;           // from Host, or from an absolute-form target, which wins (RFC 9112 §3.2.2)
};

// Refuses, among others: Content-Length with Transfer-Encoding; several lengths, even equal ones; lengths that are not
// only digits or exceed 2^63-1; Transfer-Encoding in HTTP/1.0 (400), and codings other than chunked (501); two Hosts,
// none in HTTP/1.1, or an invalid one (an empty one is valid, RFC 9112 §3.2); a Connection field that is not a list of
// tokens; another spelling of a framing field's name; CONNECT (405); and a target that is not in origin-form,
// absolute-form (http, https) or `*` with OPTIONS.
//
// `last_good_host` is kept from one request to the next, so that a Host that was found good is not checked again.
void read_meaning(const RequestHead& head, std::string& last_good_host, RequestMeaning& meaning);
RequestMeaning request_meaning(const RequestHead& head);

struct ResponseMeaning {
  HeadError error;                 // status 502
  state::BodyFraming body;         // NoBody for 1xx, 204, 304 and responses to HEAD (RFC 9112 §6.3)
  bool keep_alive = true;          // the upstream connection can be reused; also false when a 1xx or 204, which has no
                                   // body, announces one
};

// `request_method` is that of the request being answered.
ResponseMeaning response_meaning(const ResponseHead& head, Method request_method);

}  // namespace baton::http1
