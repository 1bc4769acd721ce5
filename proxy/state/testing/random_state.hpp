// Random but consistent states for tests, of every phase and every kind of framing. A seed fixes the states.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "proxy/state/state.hpp"

namespace baton::state {

class RandomState {
 public:
  explicit RandomState(std::uint64_t seed) : random_(seed) {}

  ConnectionState connection() {
    ConnectionState state;
    state.id = random_();
    state.listener = text(12);
    state.client_address = address();
    if (below(4) == 0) state.proxy_fields = String("\x05" + text(30));
    state.client = leg();
    if (below(8) == 0) return in_hello(std::move(state));
    if (below(4) == 0) {
      make_http2(state);
      for (auto& side : state.http2()->streams) carry(state, *side);
      return state;
    }
    if (below(8) == 0) {
      state.client.tls.reset();
      state.protocol = Arriving{time(), coin()};
      return state;
    }
    if (below(5) == 0) {
      state.protocol = Raw{};
      make_tunnel(state);
    } else {
      make_http1(state);
    }
    carry(state, state);
    return state;
  }

  IdleUpstream idle_upstream() {
    IdleUpstream idle{.upstream = text(12),
                      .server = address(),
                      .idle_since_ms = time(),
                      .requests = 7,
                      .opened_ms = time(),
                      .leg = leg(),
                      .frames = {}};
    if (coin()) make_frames(idle.frames.emplace(), true);
    return idle;
  }

  std::uint64_t below(std::uint64_t end) { return random_() % end; }

 private:
  bool coin() { return below(2) == 1; }
  // 0, which means never, is among them.
  std::int64_t time() { return coin() ? 0 : static_cast<std::int64_t>(below(1'000'000'000)); }

  std::string text(std::size_t bytes_max) {
    std::string text(below(bytes_max + 1), '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
  }

  SocketAddress address() {
    SocketAddress address;
    address.family = static_cast<Family>(below(4));
    if (address.family == Family::ipv4 || address.family == Family::ipv6) {
      address.port = static_cast<std::uint16_t>(random_());
      const std::size_t bytes = address.family == Family::ipv4 ? 4 : 16;
      for (std::size_t i = 0; i < bytes; ++i) address.ip[i] = static_cast<std::uint8_t>(random_());
    }
    if (address.family == Family::ipv6) address.scope = static_cast<std::uint32_t>(below(100));
    if (address.family == Family::unix_path) address.path = text(20);
    return address;
  }

  Leg leg() {
    Leg leg;
    leg.unread.append(text(60));
    leg.unsent.append(text(60));
    leg.read_ended = coin();
    leg.write_ended = coin();
    leg.was_reset = coin();
    leg.read_at_ms = time();
    leg.write_at_ms = time();
    if (below(3) == 0) leg.tls = tls();
    return leg;
  }

  // A part of a ClientHello has come, and nothing else.
  ConnectionState in_hello(ConnectionState state) {
    state.client = {};
    Tls& tls = state.client.tls.emplace();
    tls.since_ms = time();
    tls.received.append(text(40));
    if (coin()) {
      state.protocol = Raw{};
      state.exchange.emplace().phase = Tunnelling{.upstream = text(12)};
    } else {
      std::get<Http1>(state.protocol).phase = AwaitingRequest{time(), 0};
    }
    return state;
  }

  template <std::size_t bytes>
  void fill(std::array<unsigned char, bytes>& out) {
    for (unsigned char& one : out) one = static_cast<unsigned char>(random_());
  }

  Tls tls() {
    Tls tls;
    tls.since_ms = time();
    tls.received.append(text(40));
    tls.stage = TlsStage::records;
    tls.sealed.append(text(40));
    tls.is_client = coin();
    tls.version = coin() ? 0x0303 : 0x0304;
    tls.suite = static_cast<std::uint16_t>(random_());
    tls.fragment_bytes = static_cast<std::uint16_t>(1 + below(16384));
    for (TlsDirection* direction : {&tls.read, &tls.write}) {
      fill(direction->secrets.traffic);
      fill(direction->secrets.key);
      fill(direction->secrets.iv);
      direction->sequence = random_();
    }
    tls.explicit_nonce = random_();
    (tls.version == 0x0304 ? tls.key_update_owed : tls.no_renegotiation_owed) = coin();
    tls.close_received = coin();
    tls.alert = static_cast<std::uint8_t>(random_());
    tls.end = static_cast<TlsEnd>(below(3));
    tls.idle_records = static_cast<std::uint8_t>(random_());
    tls.message_left = static_cast<std::uint32_t>(random_());
    tls.message_head_bytes = static_cast<std::uint8_t>(below(5));
    for (std::size_t i = 0; i < tls.message_head_bytes; ++i) tls.message_head[i] = static_cast<unsigned char>(random_());
    tls.sealed_at_ms = time();
    tls.burst_bytes = static_cast<std::uint32_t>(random_());
    tls.facts = {text(12), text(8), text(20), coin(), text(10)};
    return tls;
  }

  UpstreamLeg upstream() {
    UpstreamLeg upstream;
    static_cast<Leg&>(upstream) = leg();
    upstream.upstream = text(12);
    upstream.server = address();
    upstream.reused = coin();
    upstream.requests = static_cast<std::uint32_t>(random_());
    upstream.opened_ms = time();
    return upstream;
  }

  BodyFraming framing(bool of_request) {
    switch (below(of_request ? 3 : 4)) {
      case 0: return NoBody{};
      case 1: return ByLength{1 + below(1'000'000)};
      case 2:
        return ByChunks{
            .position = static_cast<ChunkPosition>(below(static_cast<std::uint64_t>(last_chunk_position) + 1)),
            .remaining = below(100'000),
            .line_bytes = static_cast<std::uint32_t>(below(1024))};
      default: return UntilClose{};
    }
  }

  Request request() {
    return {.body = framing(true),
            .body_bytes = below(1'000'000),
            .body_bytes_max = below(2'000'000),
            .head_only = coin(),
            .idempotent = coin(),
            .http10 = coin(),
            .asked_close = coin(),
            .keep_alive = coin(),
            .expects_continue = coin(),
            .wants_upgrade = coin(),
            .is_counted = coin(),
            .is_grpc = coin()};
  }

  Exchange& begin(ClientSide& side, bool is_tunnel = false) {
    Exchange& exchange = side.exchange.emplace();
    exchange.route = text(30);
    if (coin()) exchange.split_to = text(10);
    if (coin()) {
      Extras& extras = exchange.extras.emplace();
      extras.request_id = text(40);
      extras.traceparent = text(60);
      if (coin()) extras.client = address();
      if (coin()) extras.failed = text(40);
      if (coin() && !is_tunnel) extras.websocket_accept = text(28);
    }
    if (!is_tunnel) exchange.sticky_cookie = text(60);
    exchange.queued_since_ms = time();
    if (coin()) return exchange;
    exchange.started_ms = time();
    exchange.started_unix_us = static_cast<std::int64_t>(below(std::uint64_t{1} << 50));
    exchange.status = static_cast<std::uint16_t>(below(1000));
    exchange.response_bytes = random_();
    exchange.ending = static_cast<Ending>(below(static_cast<std::uint64_t>(last_ending) + 1));
    if (coin()) exchange.access = access_record();
    return exchange;
  }

  // Up to `most`, and never more than fits.
  std::uint32_t up_to(std::size_t most) { return static_cast<std::uint32_t>(below(most + 1)); }

  void make_http1(ConnectionState& state) {
    Http1& http1 = std::get<Http1>(state.protocol);
    http1.requests = below(1000);
    switch (below(3)) {
      case 0: http1.phase = AwaitingRequest{time(), up_to(state.client.unread.size())}; break;
      case 1:
        http1.phase = Lingering{time()};
        break;
      default:
        make_request(state);
    }
  }

  AccessRecord access_record() {
    return {.request_line = "G" + text(40),
            .referer = text(10),
            .user_agent = text(10),
            .upstream = text(20),
            .upstream_name = text(9),
            .user = text(5),
            .fields = text(20),
            .queued_ms = time(),
            .connected_ms = time(),
            .answered_ms = time(),
            .retries = static_cast<std::uint8_t>(random_())};
  }

  void make_tunnel(ClientSide& side) {
    Exchange& exchange = begin(side, true);
    exchange.request.body_bytes = random_();
    exchange.phase = Tunnelling{.upstream = text(12), .attempts = static_cast<std::uint8_t>(random_())};
    if (coin()) exchange.upstream = upstream();
  }

  void make_request(ClientSide& side) {
    Exchange& exchange = begin(side);
    exchange.request = request();
    if (side.client.stream && coin()) exchange.request.body = UntilClose{};
    switch (below(3)) {
      case 0:
        if (side.client.unread.empty()) side.client.unread.append("G");
        exchange.phase = Connecting{.head_bytes = 1 + up_to(side.client.unread.size() - 1),
                                    .attempts = static_cast<std::uint8_t>(random_()),
                                    .fresh = coin()};
        break;
      case 1:
        make_relaying(side, exchange);
        break;
      default:
        exchange.phase = Answering{};
    }
  }

  void make_http2(ConnectionState& state) {
    Http2& http2 = *state.protocol.emplace<Boxed<Http2>>(Http2{});
    Frames& frames = http2.frames;
    make_frames(frames, false);
    for (std::uint64_t i = below(4); i != 0; --i) {
      frames.last_stream += 2 + static_cast<std::uint32_t>(below(10));
      make_stream(http2.streams.emplace_back().emplace(), frames.last_stream);
    }
  }

  // Perhaps its leg becomes a stream of a carrier.
  void carry(ConnectionState& state, ClientSide& side) {
    UpstreamLeg* const leg = side.upstream();
    if (leg == nullptr || coin()) return;
    if (!state.carriers) state.carriers.emplace();
    if (state.carriers->empty() || coin()) {
      UpstreamLeg& carrier = *state.carriers->emplace_back(upstream());
      carrier.carrier = static_cast<std::uint32_t>(state.carriers->size());
      make_frames(carrier.frames.emplace(), true);
    }
    UpstreamLeg& carrier = *state.carriers->back();
    leg->tls.reset();
    leg->carrier = carrier.carrier;
    fill(leg->stream.emplace(), carrier.frames->last_stream += 2);
  }

  void make_frames(Frames& frames, bool is_client) {
    frames.is_client = is_client;
    frames.goaway_came = coin();
    frames.takes_connect = coin();
    if (is_client) frames.peer_streams_max = static_cast<std::uint32_t>(below(200));
    for (std::uint64_t i = below(4); i != 0; --i) frames.table.insert(text(20), text(20));
    frames.block.append(text(30));
    frames.block_stream = static_cast<std::uint32_t>(below(100));
    frames.block_frames = static_cast<std::uint32_t>(below(64));
    for (bool* const one :
         {&frames.block_ends_stream, &frames.preface_came, &frames.settings_came, &frames.settings_acknowledged,
          &frames.has_small_table, &frames.goaway_sent, &frames.has_failed}) {
      *one = coin();
    }
    frames.send_window = window();
    frames.receive_window = window();
    frames.peer_stream_window = static_cast<std::uint32_t>(below(0x8000'0000));
    frames.stream_window = static_cast<std::uint32_t>(below(0x8000'0000));
    frames.streams_max = static_cast<std::uint32_t>(below(200));
    frames.requests = below(1000);
    frames.idle_since_ms = time();
    frames.block_since_ms = time();
    if (coin()) {
      EndedStreams& ended = frames.ended.emplace();
      for (std::uint32_t& id : ended.ids) id = static_cast<std::uint32_t>(random_());
      ended.next = static_cast<std::uint32_t>(random_());
    }
  }

  std::int64_t window() { return static_cast<std::int64_t>(below(0xffff'ffff)) - 0x7fff'ffff; }

  void make_stream(ClientSide& side, std::uint32_t id) {
    side.client = leg();
    side.client.tls.reset();
    if (side.client.unread.empty()) side.client.unread.append("G");
    Stream& stream = side.client.stream.emplace();
    stream.head_bytes = 1 + up_to(side.client.unread.size() - 1);
    fill(stream, id);
    if (coin()) return;
    if (below(4) == 0) {
      make_tunnel(side);
    } else {
      make_request(side);
    }
  }

  void fill(Stream& stream, std::uint32_t id) {
    stream.id = id;
    stream.reset_code = static_cast<std::uint32_t>(random_());
    stream.send_window = window();
    stream.receive_window = window();
    stream.window = static_cast<std::uint32_t>(below(0x8000'0000));
    stream.wanted = static_cast<std::uint32_t>(below(0x8000'0000));
    stream.until_edge = static_cast<std::uint32_t>(random_());
    stream.edge_ms = time();
    stream.declared_left = below(1000);
    for (bool* const one : {&stream.is_declared, &stream.has_body, &stream.end_sent, &stream.takes_connect,
                            &stream.head_came, &stream.is_head_request}) {
      *one = coin();
    }
    if (below(8) == 0) stream.refused_with = 431;
    if (coin()) stream.heads.append(std::string("\x80\0\0\4abcd", 8));
    if (coin()) stream.trailers_in = Buffer(), stream.trailers_in->append("a: b\r\n\r\n");
    if (coin()) stream.trailers_out = Buffer(), stream.trailers_out->append("\x88");
  }

  void make_relaying(const ClientSide& state, Exchange& exchange) {
    exchange.request = state.client.stream ? exchange.request : request();
    Relaying& relaying = exchange.phase.emplace<Relaying>();
    relaying.adds_chunks = coin();
    relaying.held = up_to(state.client.unread.size());
    relaying.head_bytes = relaying.held == 0 ? static_cast<std::uint32_t>(below(1000)) : 1 + up_to(relaying.held - 1);
    relaying.attempts = static_cast<std::uint8_t>(random_());
    relaying.upload_abandoned = coin();
    exchange.upstream = upstream();
    if (coin()) {
      relaying.response = ResponseAwaited{up_to(exchange.upstream->unread.size()), below(1'000'000)};
    } else {
      const BodyFraming body = framing(false);
      if (std::holds_alternative<NoBody>(body) && coin()) exchange.upstream.reset();
      relaying.response = ResponseRelayed{body, coin(), coin(), coin(), coin()};
    }
  }

  std::mt19937_64 random_;
};

}  // namespace baton::state
