#include "proxy/state/codec.hpp"

#include <limits>

#include "proxy/state/state.pb.h"

namespace baton::state {

namespace {

constexpr std::uint32_t whole_mark = 0x4e544142;   // "BATN"

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// ── To the wire ───────────────────────────────────────────────────────────────────────────────────────────────────

void write(const SocketAddress& address, wire::Address& out) {
  out.set_family(static_cast<std::uint32_t>(address.family));
  out.set_port(address.port);
  out.set_scope(address.scope);
  if (address.family == Family::ipv4) out.set_ip(address.ip.data(), 4);
  if (address.family == Family::ipv6) out.set_ip(address.ip.data(), 16);
  out.set_path(address.path);
}

void write(const Leg& leg, wire::Leg& out) {
  out.set_unread(leg.unread.data(), leg.unread.size());
  out.set_unsent(leg.unsent.data(), leg.unsent.size());
  out.set_read_ended(leg.read_ended);
  out.set_write_ended(leg.write_ended);
  out.set_read_at_ms(leg.read_at_ms);
  out.set_write_at_ms(leg.write_at_ms);
}

void write(const BodyFraming& framing, wire::Framing& out) {
  std::visit(Overloaded{
                 [&](const NoBody&) { out.mutable_no_body(); },
                 [&](const ByLength& body) { out.mutable_by_length()->set_remaining(body.remaining); },
                 [&](const ByChunks& body) {
                   auto& chunks = *out.mutable_by_chunks();
                   chunks.set_position(static_cast<std::uint32_t>(body.position));
                   chunks.set_remaining(body.remaining);
                   chunks.set_line_bytes(body.line_bytes);
                 },
                 [&](const UntilClose&) { out.mutable_until_close(); },
             },
             framing);
}

void write(const Request& request, wire::Request& out) {
  write(request.body, *out.mutable_body());
  out.set_body_bytes(request.body_bytes);
  out.set_body_bytes_max(request.body_bytes_max);
  out.set_head_only(request.head_only);
  out.set_idempotent(request.idempotent);
  out.set_http10(request.http10);
  out.set_keep_alive(request.keep_alive);
  out.set_expects_continue(request.expects_continue);
  out.set_wants_websocket(request.wants_websocket);
  out.set_asked_close(request.asked_close);
}

void write(const AccessRecord& access, wire::Access& out) {
  out.set_started_ms(access.started_ms);
  out.set_started_unix_us(access.started_unix_us);
  out.set_request_line(access.request_line);
  out.set_referer(access.referer);
  out.set_user_agent(access.user_agent);
  out.set_upstream(access.upstream);
  out.set_status(access.status);
  out.set_response_bytes(access.response_bytes);
}

void write(const Relaying& relaying, wire::Relaying& out) {
  write(relaying.request, *out.mutable_request());
  out.set_head_bytes(relaying.head_bytes);
  out.set_held(relaying.held);
  out.set_attempts(relaying.attempts);
  out.set_upload_abandoned(relaying.upload_abandoned);
  std::visit(Overloaded{
                 [&](const ResponseAwaited& awaited) {
                   out.mutable_awaited()->set_scanned(awaited.scanned);
                   out.mutable_awaited()->set_interim(awaited.interim);
                 },
                 [&](const ResponseRelayed& relayed) {
                   write(relayed.body, *out.mutable_relayed()->mutable_body());
                   out.mutable_relayed()->set_dechunk(relayed.dechunk);
                   out.mutable_relayed()->set_upstream_keep_alive(relayed.upstream_keep_alive);
                 },
             },
             relaying.response);
}

void write(const Http1& http1, wire::Http1& out) {
  std::visit(Overloaded{
                 [&](const AwaitingRequest& awaiting) {
                   out.mutable_awaiting()->set_since_ms(awaiting.since_ms);
                   out.mutable_awaiting()->set_scanned(awaiting.scanned);
                 },
                 [&](const Connecting& connecting) {
                   auto& phase = *out.mutable_connecting();
                   write(connecting.request, *phase.mutable_request());
                   phase.set_head_bytes(connecting.head_bytes);
                   phase.set_attempts(connecting.attempts);
                   phase.set_fresh(connecting.fresh);
                 },
                 [&](const Relaying& relaying) { write(relaying, *out.mutable_relaying()); },
                 [&](const Answering&) { out.mutable_answering(); },
                 [&](const Lingering& lingering) { out.mutable_lingering()->set_since_ms(lingering.since_ms); },
             },
             http1.phase);
  out.set_requests(http1.requests);
  if (http1.access != AccessRecord{}) write(http1.access, *out.mutable_access());
}

std::string finish(wire::Moved& moved) {
  moved.set_whole(whole_mark);
  return moved.SerializeAsString();
}

// ── From the wire: each reader answers false for what cannot be ───────────────────────────────────────────────────

struct Reader {
  std::int64_t clock_offset_ms;

  template <class Narrow>
  static bool fits(std::uint64_t value, Narrow& out) {
    if (value > std::numeric_limits<Narrow>::max()) return false;
    out = static_cast<Narrow>(value);
    return true;
  }

  // 0 stands for "never" and stays so. Nobody's clock has come far enough that adding a timeout could overflow.
  bool time(std::int64_t there, std::int64_t& here) const {
    constexpr std::int64_t time_max = std::int64_t{1} << 53;
    if (there < -time_max || there > time_max) return false;
    here = there == 0 ? 0 : there + clock_offset_ms;
    return true;
  }

  bool read(const wire::Address& in, SocketAddress& out) const {
    if (in.family() > static_cast<std::uint32_t>(Family::unix_path)) return false;
    out.family = static_cast<Family>(in.family());
    const std::size_t ip_bytes = out.family == Family::ipv4 ? 4 : out.family == Family::ipv6 ? 16 : 0;
    if (in.ip().size() != ip_bytes) return false;
    std::copy(in.ip().begin(), in.ip().end(), out.ip.begin());
    out.scope = in.scope();
    out.path = in.path();
    return fits(in.port(), out.port);
  }

  bool read(const wire::Leg& in, Leg& out) const {
    out.unread.append(in.unread());
    out.unsent.append(in.unsent());
    out.read_ended = in.read_ended();
    out.write_ended = in.write_ended();
    return time(in.read_at_ms(), out.read_at_ms) && time(in.write_at_ms(), out.write_at_ms);
  }

  bool read(const wire::Framing& in, BodyFraming& out) const {
    switch (in.kind_case()) {
      case wire::Framing::kNoBody:
        out = NoBody{};
        return true;
      case wire::Framing::kByLength:
        out = ByLength{in.by_length().remaining()};
        return in.by_length().remaining() != 0;
      case wire::Framing::kByChunks: {
        const auto& chunks = in.by_chunks();
        if (chunks.position() > static_cast<std::uint32_t>(ChunkPosition::trailers)) return false;
        out = ByChunks{static_cast<ChunkPosition>(chunks.position()), chunks.remaining(), chunks.line_bytes()};
        return true;
      }
      case wire::Framing::kUntilClose:
        out = UntilClose{};
        return true;
      case wire::Framing::KIND_NOT_SET:
        break;
    }
    return false;
  }

  bool read(const wire::Request& in, Request& out) const {
    out.body_bytes = in.body_bytes();
    out.body_bytes_max = in.body_bytes_max();
    out.head_only = in.head_only();
    out.idempotent = in.idempotent();
    out.http10 = in.http10();
    out.keep_alive = in.keep_alive();
    out.expects_continue = in.expects_continue();
    out.wants_websocket = in.wants_websocket();
    out.asked_close = in.asked_close();
    return read(in.body(), out.body) && !std::holds_alternative<UntilClose>(out.body);
  }

  bool read(const wire::Access& in, AccessRecord& out) const {
    out.started_unix_us = in.started_unix_us();
    out.request_line = in.request_line();
    out.referer = in.referer();
    out.user_agent = in.user_agent();
    out.upstream = in.upstream();
    out.response_bytes = in.response_bytes();
    return time(in.started_ms(), out.started_ms) && fits(in.status(), out.status);
  }

  bool read(const wire::Relaying& in, Relaying& out) const {
    out.head_bytes = in.head_bytes();
    out.held = in.held();
    out.upload_abandoned = in.upload_abandoned();
    if (!in.has_request() || !read(in.request(), out.request) || !fits(in.attempts(), out.attempts)) return false;
    switch (in.response_case()) {
      case wire::Relaying::kAwaited: {
        auto& awaited = out.response.emplace<ResponseAwaited>();
        awaited.scanned = in.awaited().scanned();
        return fits(in.awaited().interim(), awaited.interim);
      }
      case wire::Relaying::kRelayed: {
        auto& relayed = out.response.emplace<ResponseRelayed>();
        relayed.dechunk = in.relayed().dechunk();
        relayed.upstream_keep_alive = in.relayed().upstream_keep_alive();
        return read(in.relayed().body(), relayed.body);
      }
      case wire::Relaying::RESPONSE_NOT_SET:
        break;
    }
    return false;
  }

  bool read(const wire::Http1& in, Http1& out) const {
    out.requests = in.requests();
    if (in.has_access() && !read(in.access(), out.access)) return false;
    switch (in.phase_case()) {
      case wire::Http1::kAwaiting: {
        auto& phase = out.phase.emplace<AwaitingRequest>();
        phase.scanned = in.awaiting().scanned();
        return time(in.awaiting().since_ms(), phase.since_ms);
      }
      case wire::Http1::kConnecting: {
        auto& phase = out.phase.emplace<Connecting>();
        phase.head_bytes = in.connecting().head_bytes();
        phase.fresh = in.connecting().fresh();
        return in.connecting().has_request() && read(in.connecting().request(), phase.request) &&
               fits(in.connecting().attempts(), phase.attempts);
      }
      case wire::Http1::kRelaying:
        return read(in.relaying(), out.phase.emplace<Relaying>());
      case wire::Http1::kAnswering:
        out.phase = Answering{};
        return true;
      case wire::Http1::kLingering:
        return time(in.lingering().since_ms(), out.phase.emplace<Lingering>().since_ms);
      case wire::Http1::PHASE_NOT_SET:
        break;
    }
    return false;
  }

  bool read(const wire::Connection& in, ConnectionState& out) const {
    out.id = in.id();
    out.listener = in.listener();
    if (!read(in.client_address(), out.client_address) || !in.has_client() || !read(in.client(), out.client)) {
      return false;
    }
    if (in.has_upstream()) {
      auto& upstream = out.upstream.emplace();
      upstream.upstream = in.upstream().name();
      upstream.reused = in.upstream().reused();
      if (!read(in.upstream().server(), upstream.server) || !read(in.upstream().leg(), upstream)) return false;
    }
    switch (in.protocol_case()) {
      case wire::Connection::kHttp1:
        return read(in.http1(), out.protocol.emplace<Http1>());
      case wire::Connection::kTunnel: {
        auto& tunnel = out.protocol.emplace<Tunnel>();
        tunnel.upstream = in.tunnel().upstream();
        return fits(in.tunnel().attempts(), tunnel.attempts) &&
               (!in.tunnel().has_access() || read(in.tunnel().access(), tunnel.access));
      }
      case wire::Connection::PROTOCOL_NOT_SET:
        break;
    }
    return false;
  }
};

// What the engines take for granted of a state, checked where it comes from outside.
bool holds_together(const ConnectionState& state) {
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return true;
  if (const auto* connecting = std::get_if<Connecting>(&http1->phase)) {
    return !state.upstream && connecting->head_bytes != 0 && connecting->head_bytes <= state.client.unread.size();
  }
  if (const auto* relaying = std::get_if<Relaying>(&http1->phase)) {
    const bool held_fits = relaying->held <= state.client.unread.size() &&
                           (relaying->held == 0 ||
                            (relaying->head_bytes != 0 && relaying->head_bytes <= relaying->held));
    const auto* awaited = std::get_if<ResponseAwaited>(&relaying->response);
    if (awaited != nullptr && state.upstream && awaited->scanned > state.upstream->unread.size()) return false;
    const auto* relayed = std::get_if<ResponseRelayed>(&relaying->response);
    const bool response_ended = relayed != nullptr && std::holds_alternative<NoBody>(relayed->body);
    return held_fits && (state.upstream.has_value() || response_ended);
  }
  const auto* awaiting = std::get_if<AwaitingRequest>(&http1->phase);
  return !state.upstream && (awaiting == nullptr || awaiting->scanned <= state.client.unread.size());
}

}  // namespace

std::string encode(const ConnectionState& state) {
  wire::Moved moved;
  auto& out = *moved.mutable_connection();
  out.set_id(state.id);
  out.set_listener(state.listener);
  write(state.client_address, *out.mutable_client_address());
  write(state.client, *out.mutable_client());
  if (state.upstream) {
    auto& upstream = *out.mutable_upstream();
    write(static_cast<const Leg&>(*state.upstream), *upstream.mutable_leg());
    upstream.set_name(state.upstream->upstream);
    write(state.upstream->server, *upstream.mutable_server());
    upstream.set_reused(state.upstream->reused);
  }
  std::visit(Overloaded{
                 [&](const Http1& http1) { write(http1, *out.mutable_http1()); },
                 [&](const Tunnel& tunnel) {
                   write(tunnel.access, *out.mutable_tunnel()->mutable_access());
                   out.mutable_tunnel()->set_upstream(tunnel.upstream);
                   out.mutable_tunnel()->set_attempts(tunnel.attempts);
                 },
             },
             state.protocol);
  return finish(moved);
}

std::string encode(const IdleUpstream& idle) {
  wire::Moved moved;
  auto& out = *moved.mutable_idle_upstream();
  out.set_upstream(idle.upstream);
  write(idle.server, *out.mutable_server());
  out.set_idle_since_ms(idle.idle_since_ms);
  return finish(moved);
}

std::optional<Moved> decode(std::string_view bytes, std::int64_t clock_offset_ms) {
  wire::Moved moved;
  if (bytes.size() > std::numeric_limits<int>::max()) return std::nullopt;
  if (!moved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || moved.whole() != whole_mark) {
    return std::nullopt;
  }
  const Reader reader{clock_offset_ms};
  if (moved.has_connection()) {
    ConnectionState state;
    if (!reader.read(moved.connection(), state) || !holds_together(state)) return std::nullopt;
    return state;
  }
  if (moved.has_idle_upstream()) {
    IdleUpstream idle;
    idle.upstream = moved.idle_upstream().upstream();
    if (!reader.time(moved.idle_upstream().idle_since_ms(), idle.idle_since_ms) ||
        !reader.read(moved.idle_upstream().server(), idle.server)) {
      return std::nullopt;
    }
    return idle;
  }
  return std::nullopt;
}

std::string_view phase_name(const ConnectionState& state) {
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return "tunnel";
  if (std::holds_alternative<AwaitingRequest>(http1->phase)) return state.client.unread.empty() ? "idle" : "head";
  const bool exchanging =
      std::holds_alternative<Connecting>(http1->phase) || std::holds_alternative<Relaying>(http1->phase);
  return exchanging ? "exchange" : "closing";
}

}  // namespace baton::state
