// The catalogue of client kinds: the demo, its containers, and the tests of scale, of random freezes, of a day, of TLS
// and of other versions take their kinds and names from here. Code that plays many kinds (demo/load.cpp,
// scale/habits.cpp, tls/lives.cpp) decides on each in a `switch` without a default. So a new kind is one line here, and
// the compiler names the places that must play it or say that they do not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace baton::clients {

enum class Kind : std::uint8_t {
  keep_alive,
  idle,
  half_head,
  pipelined,
  large_bodies,
  download,
  slow_reader,
  events,
  upload,
  websocket,
  http2,
  grpc,
  raw_tcp,
  half_closed_by_client,
  half_closed_by_server,
  half_record,
  half_hello,
  key_updates,
  newcomer,
};
inline constexpr std::size_t kinds = 19;

// The listeners to which a kind applies.
enum class Listener : std::uint8_t { http, tcp, either };

// The transports that may be below it.
enum class Over : std::uint8_t { plain_or_tls, tls, tls13 };

struct KindOfClient {
  Kind kind;
  std::string_view name;
  std::string_view does;     // on the wire, between its first byte and its last
  std::string_view checked;  // what it receives, and what that is compared with
  std::string_view unit;     // what is counted as verified; empty: bytes
  Listener listener = Listener::http;
  Over over = Over::plain_or_tls;
  bool lasts = true;  // on one connection for the whole run
};

inline constexpr std::array<KindOfClient, kinds> catalogue{{
    {.kind = Kind::keep_alive,
     .name = "keep-alive",
     .does = "one request after another",
     .checked = "each answer's body is the one of its target",
     .unit = "answers"},
    {.kind = Kind::idle,
     .name = "idle",
     .does = "nothing while the proxy is upgraded; a request before or after",
     .checked = "each answer's body is the one of its target",
     .unit = "answers"},
    {.kind = Kind::half_head,
     .name = "half a head",
     .does = "a request head, cut anywhere, whose rest follows after the upgrade",
     .checked = "each answer's body is the one of its target",
     .unit = "answers"},
    {.kind = Kind::pipelined,
     .name = "pipelined",
     .does = "several requests at once, by length and chunked",
     .checked = "as many answers in order, each byte",
     .unit = "answers"},
    {.kind = Kind::large_bodies,
     .name = "large bodies",
     .does = "requests and answers of megabytes, one after another",
     .checked = "each byte of the answers; the origin says whether it got each byte of the requests",
     .unit = "answers"},
    {.kind = Kind::download,
     .name = "download",
     .does = "one request whose response body lasts for the whole run",
     .checked = "each byte by its position",
     .unit = ""},
    {.kind = Kind::slow_reader,
     .name = "slow reader",
     .does = "a download that is read more slowly than it is sent, so that the proxy always holds some of it",
     .checked = "each byte by its position",
     .unit = ""},
    {.kind = Kind::events,
     .name = "event stream",
     .does = "one request for server-sent events, cut anywhere in a chunk",
     .checked = "each event by its number",
     .unit = "events"},
    {.kind = Kind::upload,
     .name = "upload",
     .does = "one request body, by length or chunked, that lasts for the whole run",
     .checked = "by the origin, each byte by its position; its receipt names their number and digest",
     .unit = ""},
    {.kind = Kind::websocket,
     .name = "WebSocket",
     .does = "messages to an echo after a 101",
     .checked = "each message comes back, in order",
     .unit = "messages"},
    {.kind = Kind::http2,
     .name = "HTTP/2",
     .does = "several streams at a time: small requests, downloads (one of them stalled), an upload, events",
     .checked = "what the kinds of the streams check, and that no stream or connection is reset",
     .unit = "answers"},
    {.kind = Kind::grpc,
     .name = "gRPC",
     .does = "a stream of messages to the echo of a server of HTTP/2, over HTTP/2",
     .checked = "each message comes back, in order; at the end grpc-status 0 in the trailers",
     .unit = "messages"},
    {.kind = Kind::raw_tcp,
     .name = "raw TCP",
     .does = "messages to an echo from the first byte on",
     .checked = "each message comes back, in order",
     .unit = "messages",
     .listener = Listener::tcp},
    {.kind = Kind::half_closed_by_client,
     .name = "half-closed by the client",
     .does = "a request and a FIN, then it only listens",
     .checked = "each byte by its position, and the end",
     .unit = "",
     .listener = Listener::tcp},
    {.kind = Kind::half_closed_by_server,
     .name = "half-closed by the server",
     .does = "bytes into a tunnel whose other direction has ended",
     .checked = "by the origin, each byte by its position",
     .unit = "",
     .listener = Listener::either},
    {.kind = Kind::half_record,
     .name = "half a record",
     .does = "a request in a TLS record, cut anywhere, whose rest follows after the upgrade",
     .checked = "each answer's body is the one of its target",
     .unit = "answers",
     .over = Over::tls},
    {.kind = Kind::half_hello,
     .name = "half a ClientHello",
     .does = "a ClientHello that arrives piece by piece, then one request",
     .checked = "the handshake, and the answer's body",
     .unit = "answers",
     .over = Over::tls},
    {.kind = Kind::key_updates,
     .name = "KeyUpdates",
     .does = "requests between KeyUpdates of both sides",
     .checked = "each answer's body is the one of its target",
     .unit = "answers",
     .over = Over::tls13},
    {.kind = Kind::newcomer,
     .name = "newcomer",
     .does = "a new connection, one request, and the end; again and again",
     .checked = "the answer's body is the one of its target",
     .unit = "answers",
     .lasts = false},
}};

constexpr const KindOfClient& entry(Kind kind) {
  return catalogue[static_cast<std::size_t>(kind)];
}

inline std::string name_of(Kind kind) {
  return std::string(entry(kind).name);
}

constexpr bool catalogue_is_in_order() {
  for (std::size_t i = 0; i < kinds; ++i) {
    if (static_cast<std::size_t>(catalogue[i].kind) != i || catalogue[i].name.empty()) return false;
  }
  return true;
}
static_assert(catalogue_is_in_order());

enum class Transport : std::uint8_t { plain, tls13, tls12 };
inline constexpr std::size_t transports = 3;
inline constexpr std::array<Transport, transports> all_transports{Transport::plain, Transport::tls13, Transport::tls12};

constexpr std::string_view name_of(Transport transport) {
  constexpr std::array<std::string_view, transports> names{"plain", "TLS 1.3", "TLS 1.2"};
  return names[static_cast<std::size_t>(transport)];
}

constexpr bool applies(Kind kind, Transport transport) {
  switch (entry(kind).over) {
    case Over::plain_or_tls:
      return true;
    case Over::tls:
      return transport != Transport::plain;
    case Over::tls13:
      return transport == Transport::tls13;
  }
  return false;
}

// "keep-alive", "TLS 1.3 keep-alive"
inline std::string name_of(Kind kind, Transport transport) {
  if (transport == Transport::plain) return name_of(kind);
  return std::string(name_of(transport)) + ' ' + name_of(kind);
}

}  // namespace baton::clients
