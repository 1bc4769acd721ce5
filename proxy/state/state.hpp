// Everything a successor needs to continue a connection, and nothing else. A connection runs on this very struct, and a
// handover sends it (codec.hpp). Kernel resources (sockets, timers, pools) are not part of it.
//
// Times are milliseconds of CLOCK_MONOTONIC.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "proxy/state/address.hpp"
#include "proxy/state/boxed.hpp"
#include "proxy/state/buffer.hpp"
#include "proxy/state/ending.hpp"
#include "proxy/state/framing.hpp"
#include "proxy/state/http2.hpp"
#include "proxy/state/list.hpp"
#include "proxy/state/shared_text.hpp"
#include "proxy/state/stream.hpp"
#include "proxy/state/string.hpp"
#include "proxy/state/tls.hpp"

namespace baton::state {

// The number of a leg's socket in this process, which is no part of the value: it is not sent, and not compared.
struct Descriptor {
  int number = -1;  // -1: a stream, or not known
  bool operator==(const Descriptor&) const { return true; }
};

// One side of an exchange: bytes in, bytes out, and how each direction ends. It is a whole socket, with `tls` as the
// layer below, or a stream of HTTP/2. Then `unread` begins with a head as HTTP/1.1 text (of a server also several),
// behind which content follows, and `unsent` is content alone; END_STREAM and RST_STREAM are its end and its reset.
struct Flow {
  Buffer unread;                      // received (and decrypted) but not yet consumed
  Buffer unsent;                      // accepted for sending but not yet written (or encrypted)
  bool read_ended = false;            // the other side has sent its FIN
  bool write_ended = false;           // we have sent our FIN, or the other side takes no more
  bool was_reset = false;             // by the other side: EOF after it means truncation
  Descriptor descriptor;
  std::int64_t read_at_ms = 0;        // when a byte last came in
  std::int64_t write_at_ms = 0;       // when a byte last went out, or `unsent` became non-empty
  Boxed<Tls> tls;                     // none: plain bytes
  Boxed<Stream> stream;               // none: a socket

  // Nothing waits to be written, and an end that was due has been sent.
  bool all_sent() const {
    if (!unsent.empty()) return false;
    if (stream) return stream->heads.empty() && (!write_ended || stream->end_sent);
    return !tls || (tls->sealed.empty() && (!write_ended || tls->end == TlsEnd::shut));
  }
  // Both directions have ended cleanly, so closing truncates nothing.
  bool is_over() const { return read_ended && write_ended && !was_reset && all_sent(); }
  // It ended with a reset, or without the close_notify that distinguishes an end from an interruption (RFC 8446 §6.1).
  bool is_truncated() const { return read_ended && (tls ? !tls->close_received : was_reset); }
  // The other side takes no more: discards the bytes that wait for it.
  void drop_unsent() {
    unsent.clear();
    write_ended = true;
    if (stream) {
      stream->heads.clear();
      stream->trailers_out.reset();
      stream->end_sent = true;
    }
    if (!tls) return;
    tls->sealed.clear();
    tls->key_update_owed = tls->no_renegotiation_owed = false;
    tls->end = TlsEnd::shut;
  }
  bool operator==(const Flow&) const = default;
};

// A flow that is a whole socket.
using Leg = Flow;

// The settings under which a leg to a server was made; "" for a plain one.
inline std::string_view terms_of(const Leg& leg) {
  return leg.tls ? leg.tls->facts.terms.view() : std::string_view();
}

// The leg to one server of an upstream: a socket, a stream on one, or a socket that carries streams (a carrier).
struct UpstreamLeg : Leg {
  String upstream;                    // the upstream's name in the configuration
  SocketAddress server;
  bool reused = false;                // it has served an exchange before, so it may be stale
  std::uint32_t requests = 0;         // sent on it
  std::int64_t opened_ms = 0;
  Boxed<Frames> frames;       // only of a carrier
  std::uint32_t carrier = 0;  // which one it is, or has the stream; unique in its connection. 0: neither
  bool operator==(const UpstreamLeg&) const = default;
};

// What is known of a request for as long as its exchange lasts.
struct Request {
  BodyFraming body;                   // what is still to be read of it
  std::uint64_t body_bytes = 0;       // content bytes read so far
  std::uint64_t body_bytes_max = 0;   // the limit in force when it began; 0: none
  bool head_only = false;             // HEAD: the response has no body
  bool idempotent = false;            // RFC 9110 §9.2.2
  bool http10 = false;                // the client speaks HTTP/1.0
  bool asked_close = false;           // the client said that this is its last request
  bool keep_alive = true;             // the connection will serve another request after this one
  bool expects_continue = false;      // and neither a 1xx was forwarded nor has a body byte arrived since
  bool wants_upgrade = false;         // a 101 may answer it
  bool is_counted = false;            // against its rates
  bool is_grpc = false;               // sent by HTTP/2 as gRPC: either side may be silent as long as in a tunnel
  bool operator==(const Request&) const = default;
};

// ── Phases of an exchange ─────────────────────────────────────────────────────────────────────────────────────────

// A whole head stands at the front of client.unread; a server for it is being chosen and connected. An unfinished
// attempt is not part of the state: a successor starts it again.
struct Connecting {
  std::uint32_t head_bytes = 0;
  std::uint8_t attempts = 0;          // failed so far
  bool fresh = false;                 // no pooled connection: the last one was stale
  bool operator==(const Connecting&) const = default;
};

// No byte of the final response has been forwarded.
struct ResponseAwaited {
  std::uint32_t scanned = 0;
  std::uint64_t interim_bytes = 0;    // of the 1xx responses so far
  bool operator==(const ResponseAwaited&) const = default;
};

// The response's head has been forwarded and its body follows (NoBody: it has ended).
struct ResponseRelayed {
  BodyFraming body;
  bool dechunk = false;               // the client gets only the content (RFC 9112 §7.1.3), and then the end
  bool upstream_keep_alive = false;   // the upstream connection can be reused afterwards
  bool may_be_quiet = false;          // an event stream, or gRPC: it may be silent for as long as a tunnel
  bool adds_chunks = false;           // the body comes as content, and goes on in chunks (RFC 9112 §7.1)
  bool operator==(const ResponseRelayed&) const = default;
};

// The request has been or is being sent to the upstream leg; the response comes from there.
struct Relaying {
  std::uint32_t head_bytes = 0;       // of the request as received
  std::uint32_t held = 0;             // bytes at the front of client.unread, head first, that were forwarded already
                                      // and are kept for another attempt; 0: there will be none
  std::uint8_t attempts = 0;
  bool upload_abandoned = false;      // the upstream takes no more of the body; the rest is discarded
  bool adds_chunks = false;           // the body comes as content, and goes on in chunks (RFC 9112 §7.1)
  std::variant<ResponseAwaited, ResponseRelayed> response;
  bool operator==(const Relaying&) const = default;
};

// A response of our own is in client.unsent, as much of it as the buffers may hold. What is left of the request's body
// is read and discarded; then the connection serves another request, or a lingering close follows.
struct Answering {
  SharedText body;          // of a response that is longer; its connections share it. In a parcel the bytes behind
  std::uint32_t taken = 0;  // `taken` are a part of client.unsent

  std::string_view rest() const { return body ? body->view().substr(taken) : std::string_view(); }
  bool operator==(const Answering&) const = default;
};

// Two flows relayed unchanged: raw TCP, or a WebSocket after its 101. Without an upstream leg, a server is still being
// chosen and connected.
struct Tunnelling {
  String upstream;                    // which provides its server
  std::uint8_t attempts = 0;          // failed attempts to connect so far
  bool operator==(const Tunnelling&) const = default;
};

// What only the access log needs of an exchange. Kept only while an access log is written.
struct AccessRecord {
  String request_line;                // never empty
  String referer;
  String user_agent;
  String upstream;                    // the address of the server it was last sent to
  String upstream_name;
  String user;                        // whose password was verified
  String fields;                      // what the log's format asks of the request: access_log/captured.hpp
  std::int64_t queued_ms = 0;         // how long it waited for a server
  std::int64_t connected_ms = 0;      // when it got a connection to one; 0: never
  std::int64_t answered_ms = 0;       // when the head of the response came; 0: never
  std::uint8_t retries = 0;           // attempts before the last
  bool operator==(const AccessRecord&) const = default;
};

// What few configurations need of an exchange.
struct Extras {
  String request_id;            // empty: it has none
  String traceparent;           // made here; empty: the request has its own, or none
  Boxed<SocketAddress> client;  // as trusted proxies report it; none: the connection's client
  String failed;                // servers that it has failed on: failed_servers.hpp
  String websocket_accept;      // the Sec-WebSocket-Accept that a client waits for whose server gives none (RFC 8441)
  bool operator==(const Extras&) const = default;
};

// What the exchange's route changes in the fields of the response, decided when the request was sent.
struct ResponseEdits {
  String removed;  // names, each followed by a line feed
  String fields;   // lines to be added
  bool operator==(const ResponseEdits&) const = default;
};

// A request and its response, from the moment the head is whole; or a tunnel.
struct Exchange {
  Request request;
  std::variant<Connecting, Relaying, Answering, Tunnelling> phase;
  Boxed<UpstreamLeg> upstream;        // what an idle connection to a server passes from one exchange to the next
  String route;                       // whose settings apply; empty: none chosen
  String split_to;                    // the upstream that a split has given it; empty: none
  String sticky_cookie;               // the value of a Set-Cookie for the client; empty: none is due
  std::int64_t queued_since_ms = 0;   // 0: it never waited for a server
  std::int64_t started_ms = 0;        // 0: not counted or logged
  std::int64_t started_unix_us = 0;
  std::uint16_t status = 0;           // 0: no response has begun
  Ending ending = Ending::done;       // what has gone wrong
  std::uint64_t response_bytes = 0;   // of content, as forwarded to the client
  Boxed<AccessRecord> access;
  Boxed<Extras> extras;
  Boxed<ResponseEdits> response_edits;  // none: the response is forwarded as it came
  bool operator==(const Exchange&) const = default;
};

// The client's end of an exchange, and the exchange.
struct ClientSide {
  Flow client;
  Boxed<Exchange> exchange;           // none: between two exchanges, or before the first
  bool operator==(const ClientSide&) const = default;

  // The leg to the exchange's server, if there is one.
  UpstreamLeg* upstream() const { return exchange ? exchange->upstream.get() : nullptr; }
};

// Connections to servers that streams share. Each belongs to one client's connection as long as it has streams.
using Carriers = List<Boxed<UpstreamLeg>>;

// ── A connection ──────────────────────────────────────────────────────────────────────────────────────────────────

// Idle, or a head is arriving: the head so far is in client.unread. During an exchange this has its initial value.
struct AwaitingRequest {
  std::int64_t since_ms = 0;          // idle since then, or when the first byte of the head came
  std::uint32_t scanned = 0;          // a cache of how far the search for the head's end got
  bool operator==(const AwaitingRequest&) const = default;
};

// We have sent our FIN; what the client still sends is discarded, so that it can read our answer (RFC 9112 §9.6).
struct Lingering {
  std::int64_t since_ms = 0;
  bool operator==(const Lingering&) const = default;
};

struct Http1 {
  std::variant<AwaitingRequest, Lingering> phase;
  std::uint64_t requests = 0;         // begun on this connection
  bool operator==(const Http1&) const = default;
};

// Its only exchange is a tunnel.
struct Raw {
  bool operator==(const Raw&) const = default;
};

// Its exchanges are those of its streams.
struct Http2 {
  Frames frames;
  List<Boxed<ClientSide>> streams;    // open ones, by id; each flow has a `stream`
  bool operator==(const Http2&) const = default;
};

// What comes before the connection's own protocol is arriving: a PROXY header, even before TLS; then the ClientHello
// that decides on a tcp connection's upstream, and stays. All of it so far is in client.unread.
struct Arriving {
  std::int64_t since_ms = 0;    // accepted
  bool is_past_header = false;  // there is no PROXY header, or it has been taken
  bool operator==(const Arriving&) const = default;
};

// The most bytes of `proxy_fields`: none in use comes near that.
inline constexpr std::size_t proxy_fields_bytes_max = 4096;

struct ConnectionState : ClientSide {
  std::uint64_t id = 0;               // unique within an instance, kept across generations
  String listener;
  SocketAddress client_address;
  Boxed<String> proxy_fields;  // of its PROXY header, see arrival/proxy_header.hpp; none: it had no such fields
  Boxed<Carriers> carriers;    // that have streams of its exchanges; none: it has no such leg
  std::variant<Http1, Raw, Arriving, Boxed<Http2>> protocol;
  bool operator==(const ConnectionState&) const = default;

  // nullptr: another protocol.
  Http2* http2() const {
    const auto* box = std::get_if<Boxed<Http2>>(&protocol);
    return box != nullptr ? box->get() : nullptr;
  }
};

// Who sent the request, as far as anybody's word on it is believed: what routes, limits, logs and fields go by. `peer`
// is the connection's client_address.
inline const SocketAddress& client_of(const Exchange& exchange, const SocketAddress& peer) {
  return exchange.extras && exchange.extras->client ? *exchange.extras->client : peer;
}

// An idle connection to a server that moves without a client: an offer with one leg.
struct IdleUpstream {
  String upstream;
  SocketAddress server;
  std::int64_t idle_since_ms = 0;
  std::uint32_t requests = 0;  // as in UpstreamLeg
  std::int64_t opened_ms = 0;
  Leg leg;                            // with TLS, bytes may be waiting in it
  Boxed<Frames> frames;               // of a carrier
  bool operator==(const IdleUpstream&) const = default;
};

}  // namespace baton::state
