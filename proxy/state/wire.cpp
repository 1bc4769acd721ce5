// For each message of state.proto, the numbers of its fields beside the members that they carry. With a Writer this
// writes the message, with a Reader the state. False: the message is refused; a Writer never refuses.
#include "proxy/state/wire.hpp"

#include <variant>

#include "proxy/state/wire_io.hpp"

namespace baton::state {

namespace {

// ── Addresses and legs ────────────────────────────────────────────────────────────────────────────────────────────

bool is_tunnelling(const Exchange& exchange) {
  return std::holds_alternative<Tunnelling>(exchange.phase);
}

// What an answer of our own has not put into `unsent` yet. It is written as if it had.
std::string_view rest_of(const Exchange& exchange) {
  const auto* answering = std::get_if<Answering>(&exchange.phase);
  return answering != nullptr ? answering->rest() : std::string_view();
}
std::string_view rest_of(const ClientSide& side) {
  return side.exchange ? rest_of(*side.exchange) : std::string_view();
}

constexpr std::size_t ip_bytes(Family family) {
  return family == Family::ipv4 ? 4 : family == Family::ipv6 ? 16 : 0;
}

constexpr auto address_fields = [](auto& io, auto& address) -> bool {
  if (!io.choice(1, address.family, Family::unix_path)) return false;
  return io.number(2, address.port) && io.number(3, address.scope) &&
         io.part(4, address.ip, ip_bytes(address.family)) && io.bytes(5, address.path);
};

constexpr auto facts_fields = [](auto& io, auto& facts) -> bool {
  return io.bytes(22, facts.server_name) && io.bytes(23, facts.alpn) && io.bytes(24, facts.client_subject) &&
         io.number(25, facts.resumed) && io.bytes(26, facts.terms);
};

bool may_continue(const Tls& tls) {
  if (tls.stage == TlsStage::hello) return true;
  const bool is_tls13 = tls.version == 0x0304;
  if (is_tls13 ? tls.no_renegotiation_owed : tls.key_update_owed) return false;  // this belongs to the other version
  return tls.stage == TlsStage::records && tls.fragment_bytes != 0 && tls.fragment_bytes <= 16384;
}

constexpr auto tls_fields = [](auto& io, auto& tls) -> bool {
  const bool is_whole =
      io.choice(1, tls.stage, TlsStage::records) && io.time(2, tls.since_ms) && io.bytes(3, tls.received) &&
      io.bytes(4, tls.sealed) && io.number(5, tls.is_client) && io.number(6, tls.version) && io.number(7, tls.suite) &&
      io.number(8, tls.fragment_bytes) && io.number(9, tls.read.sequence) && io.number(10, tls.write.sequence) &&
      io.fixed(11, tls.explicit_nonce) && io.number(12, tls.key_update_owed) &&
      io.number(13, tls.no_renegotiation_owed) && io.number(14, tls.close_received) && io.number(15, tls.alert) &&
      io.choice(16, tls.end, TlsEnd::shut) && io.number(17, tls.idle_records) && io.number(18, tls.message_left) &&
      io.beginning(19, tls.message_head, tls.message_head_bytes) && io.time(20, tls.sealed_at_ms) &&
      io.number(21, tls.burst_bytes) && facts_fields(io, tls.facts);
  if (!is_whole || !io.accepts(may_continue(tls))) return false;
  return tls.stage == TlsStage::hello || io.secrets(tls.read.secrets, tls.write.secrets);
};

constexpr auto stream_fields = [](auto& io, auto& stream) -> bool {
  const bool is_whole =
      io.number(1, stream.id) && io.number(2, stream.send_window) && io.number(3, stream.receive_window) &&
      io.number(4, stream.declared_left) && io.number(5, stream.head_bytes) && io.number(6, stream.is_declared) &&
      io.number(7, stream.has_body) && io.number(8, stream.end_sent) && io.number(9, stream.takes_connect) &&
      io.number(10, stream.refused_with) && io.bytes(12, stream.heads) && io.number(130, stream.head_came) &&
      io.number(131, stream.is_head_request) && io.number(132, stream.reset_code) && io.number(140, stream.window) &&
      io.number(141, stream.wanted) && io.number(142, stream.until_edge) && io.time(143, stream.edge_ms);
  if (!is_whole) return false;
  const auto has_in = io.has_text(13, static_cast<bool>(stream.trailers_in));
  if (has_in && !io.bytes(13, io.begun(stream.trailers_in))) return false;
  const auto has_out = io.has_text(14, static_cast<bool>(stream.trailers_out));
  return !has_out || io.bytes(14, io.begun(stream.trailers_out));
};

// `rest`: what follows `unsent`.
constexpr auto leg_fields = [](auto& io, auto& leg, std::string_view rest = {}) -> bool {
  return boxed(io, 120, leg.stream, stream_fields) && boxed(io, 7, leg.tls, tls_fields) && io.bytes(1, leg.unread) &&
         io.bytes(2, leg.unsent, rest) && io.number(3, leg.read_ended) && io.number(4, leg.write_ended) &&
         io.number(8, leg.was_reset) && io.time(5, leg.read_at_ms) && io.time(6, leg.write_at_ms);
};

constexpr auto frames_fields = [](auto& io, auto& frames) -> bool {
  const bool is_whole =
      io.table(1, frames.table) && io.bytes(2, frames.block) && io.number(3, frames.block_stream) &&
      io.number(4, frames.block_frames) && io.number(5, frames.block_ends_stream) &&
      io.number(6, frames.preface_came) && io.number(7, frames.settings_came) &&
      io.number(8, frames.settings_acknowledged) && io.number(9, frames.has_small_table) &&
      io.number(11, frames.goaway_sent) && io.number(12, frames.has_failed) && io.number(13, frames.send_window) &&
      io.number(14, frames.receive_window) && io.number(15, frames.peer_stream_window) &&
      io.number(16, frames.stream_window) && io.number(24, frames.streams_max) && io.number(17, frames.last_stream) &&
      io.number(19, frames.requests) && io.time(20, frames.idle_since_ms) && io.time(21, frames.block_since_ms) &&
      io.number(130, frames.is_client) && io.number(131, frames.goaway_came) && io.number(132, frames.takes_connect) &&
      (!frames.is_client || io.number(133, frames.peer_streams_max));
  if (!is_whole || !io.has(22, static_cast<bool>(frames.ended))) return is_whole;
  auto& ended = io.begun(frames.ended);
  return io.numbers(22, ended.ids) && io.number(23, ended.next);
};

constexpr auto upstream_fields = [](auto& io, auto& upstream) -> bool {
  return io.within(1, leg_fields, upstream) && io.bytes(2, upstream.upstream) &&
         io.within(3, address_fields, upstream.server) && io.number(4, upstream.reused) &&
         io.number(80, upstream.requests) && io.time(81, upstream.opened_ms) && io.number(131, upstream.carrier) &&
         boxed(io, 130, upstream.frames, frames_fields);
};

// ── Bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr auto nothing = [](auto&, auto&) { return true; };

// Peers that do not know the positions within an extension read `extension`.
constexpr auto chunk_position = [](auto& io, auto& position) -> bool {
  constexpr ChunkPosition last_known_to_all = ChunkPosition::trailers;
  ChunkPosition within = position > last_known_to_all ? position : ChunkPosition{};
  ChunkPosition known = within != ChunkPosition{} ? ChunkPosition::extension : position;
  if (!io.choice(1, known, last_known_to_all)) return false;
  if (!io.choice(50, within, last_chunk_position)) return false;
  const bool is_within = within != ChunkPosition{};
  if (is_within && !io.accepts(within > last_known_to_all && known == ChunkPosition::extension)) return false;
  io.set(position, is_within ? within : known);
  return true;
};

constexpr auto by_length_fields = [](auto& io, auto& body) -> bool {
  return io.number(1, body.remaining) && io.accepts(body.remaining != 0);
};

constexpr auto by_chunks_fields = [](auto& io, auto& body) -> bool {
  return chunk_position(io, body.position) && io.number(2, body.remaining) && io.number(3, body.line_bytes);
};

constexpr auto framing_fields = [](auto& io, auto& framing) -> bool {
  return alternative<NoBody>(io, 1, framing, nothing) || alternative<ByLength>(io, 2, framing, by_length_fields) ||
         alternative<ByChunks>(io, 3, framing, by_chunks_fields) || alternative<UntilClose>(io, 4, framing, nothing);
};

// ── Exchanges ─────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr auto request_fields = [](auto& io, auto& request) -> bool {
  return io.within(1, framing_fields, request.body) && io.number(2, request.body_bytes) &&
         io.number(10, request.body_bytes_max) && io.number(3, request.head_only) && io.number(4, request.idempotent) &&
         io.number(5, request.http10) && io.number(6, request.keep_alive) && io.number(7, request.expects_continue) &&
         io.number(8, request.wants_upgrade) && io.number(9, request.asked_close) &&
         io.number(90, request.is_counted) && io.number(130, request.is_grpc);
};

constexpr auto connecting_fields = [](auto& io, auto& its_request, auto& connecting) -> bool {
  return io.has(1, true) && io.within(1, request_fields, its_request) && io.number(2, connecting.head_bytes) &&
         io.number(3, connecting.attempts) && io.number(4, connecting.fresh);
};

constexpr auto answering_fields = [](auto& io, auto& its_request, auto&) -> bool {
  if (io.has(65, true)) return io.within(65, request_fields, its_request);
  io.set(its_request.keep_alive, false);
  return true;
};

constexpr auto awaited_fields = [](auto& io, auto& awaited) -> bool {
  return io.number(1, awaited.scanned) && io.number(50, awaited.interim_bytes);
};

constexpr auto relayed_fields = [](auto& io, auto& relayed) -> bool {
  return io.within(1, framing_fields, relayed.body) && io.number(2, relayed.dechunk) &&
         io.number(3, relayed.upstream_keep_alive) && io.number(50, relayed.may_be_quiet) &&
         io.number(130, relayed.adds_chunks);
};

constexpr auto relaying_fields = [](auto& io, auto& its_request, auto& relaying) -> bool {
  return io.has(1, true) && io.within(1, request_fields, its_request) && io.number(2, relaying.head_bytes) &&
         io.number(3, relaying.held) && io.number(4, relaying.attempts) && io.number(5, relaying.upload_abandoned) &&
         io.number(120, relaying.adds_chunks) &&
         (alternative<ResponseAwaited>(io, 6, relaying.response, awaited_fields) ||
          alternative<ResponseRelayed>(io, 7, relaying.response, relayed_fields));
};

// A later version may know more.
bool ending(auto& io, auto& exchange) {
  auto number = static_cast<std::uint8_t>(exchange.ending);
  if (!io.number(150, number)) return false;
  io.set(exchange.ending,
         number <= static_cast<std::uint8_t>(last_ending) ? static_cast<Ending>(number) : Ending::done);
  return true;
}

constexpr auto access_fields = [](auto& io, auto& exchange) -> bool {
  const bool is_whole = io.time(1, exchange.started_ms) && io.number(2, exchange.started_unix_us) &&
                        io.number(6, exchange.status) &&
                        io.number(7, exchange.response_bytes, rest_of(exchange).size()) && ending(io, exchange);
  if (!is_whole || !io.has_text(3, static_cast<bool>(exchange.access))) return is_whole;
  auto& record = io.begun(exchange.access);
  return io.bytes(3, record.request_line) && io.bytes(4, record.referer) && io.bytes(5, record.user_agent) &&
         io.bytes(8, record.upstream) && io.bytes(65, record.user) && io.bytes(151, record.upstream_name) &&
         io.bytes(152, record.fields) && io.number(153, record.queued_ms) && io.time(154, record.connected_ms) &&
         io.time(155, record.answered_ms) && io.number(156, record.retries);
};

constexpr auto extras_fields = [](auto& io, auto& extras) -> bool {
  return io.bytes(70, extras.request_id) && io.bytes(71, extras.traceparent) && io.bytes(110, extras.failed) &&
         io.bytes(130, extras.websocket_accept) && boxed(io, 72, extras.client, address_fields);
};

constexpr auto response_edits_fields = [](auto& io, auto& planned) -> bool {
  return io.bytes(1, planned.removed) && io.bytes(2, planned.fields);
};

constexpr auto exchange_fields = [](auto& io, auto& exchange) -> bool {
  return io.bytes(50, exchange.route) && io.bytes(60, exchange.split_to) && io.bytes(80, exchange.sticky_cookie) &&
         io.time(81, exchange.queued_since_ms) && io.within(7, access_fields, exchange) &&
         boxed(io, 70, exchange.extras, extras_fields) &&
         boxed(io, 100, exchange.response_edits, response_edits_fields) &&
         (alternative<Connecting>(io, 2, exchange.phase, connecting_fields, exchange.request) ||
          alternative<Relaying>(io, 3, exchange.phase, relaying_fields, exchange.request) ||
          alternative<Answering>(io, 4, exchange.phase, answering_fields, exchange.request));
};

// ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────

constexpr auto awaiting_fields = [](auto& io, auto& phase) -> bool {
  return io.time(1, phase.since_ms) && io.number(2, phase.scanned);
};

constexpr auto lingering_fields = [](auto& io, auto& phase) -> bool { return io.time(1, phase.since_ms); };

constexpr auto http1_fields = [](auto& io, auto& state, auto& http1) -> bool {
  if (!io.number(6, http1.requests)) return false;
  const bool is_between = !state.exchange;
  if (is_between && io.has_either(1, 5)) {
    return alternative<AwaitingRequest>(io, 1, http1.phase, awaiting_fields) ||
           alternative<Lingering>(io, 5, http1.phase, lingering_fields);
  }
  return exchange_fields(io, io.begun(state.exchange));
};

constexpr auto arriving_fields = [](auto& io, auto& arriving) -> bool {
  return io.time(70, arriving.since_ms) && io.number(71, arriving.is_past_header);
};

constexpr auto tunnel_fields = [](auto& io, auto& state) -> bool {
  if (io.lacks(state.exchange)) return true;
  auto& exchange = io.begun(state.exchange);
  auto& phase = io.template begun_as<Tunnelling>(exchange.phase);
  return io.within(1, access_fields, exchange) && io.bytes(2, phase.upstream) && io.number(3, phase.attempts) &&
         io.bytes(50, exchange.route) && io.bytes(60, exchange.split_to) &&
         boxed(io, 70, exchange.extras, extras_fields) && io.time(81, exchange.queued_since_ms) &&
         io.number(150, exchange.request.body_bytes);
};

constexpr auto proxy_fields = [](auto& io, auto& state) -> bool {
  if (!io.has_text(110, static_cast<bool>(state.proxy_fields))) return true;
  auto& fields = io.begun(state.proxy_fields);
  return io.bytes(110, fields) && io.accepts(fields.size() <= proxy_fields_bytes_max);
};

constexpr auto side_fields = [](auto& io, auto& side) -> bool {
  if (!io.within(1, leg_fields, side.client, rest_of(side))) return false;
  const bool is_tunnel = io.has(3, side.exchange && is_tunnelling(*side.exchange));
  const bool is_request = !is_tunnel && io.has(2, static_cast<bool>(side.exchange));
  if (is_tunnel && !io.within(3, tunnel_fields, side)) return false;
  if (is_request && !io.within(2, exchange_fields, io.begun(side.exchange))) return false;
  if (!io.has(4, side.upstream() != nullptr)) return true;
  return side.exchange && io.within(4, upstream_fields, io.begun(side.exchange->upstream));
};

constexpr auto http2_fields = [](auto& io, auto& http2) -> bool {
  return io.within(1, frames_fields, http2.frames) && io.each(2, http2.streams, side_fields);
};

constexpr auto carriers = [](auto& io, auto& state) -> bool {
  return !io.has(130, static_cast<bool>(state.carriers)) || io.each(130, io.begun(state.carriers), upstream_fields);
};

constexpr auto connection_fields = [](auto& io, auto& state) -> bool {
  const bool is_whole =
      io.number(1, state.id) && io.bytes(2, state.listener) && io.within(3, address_fields, state.client_address) &&
      proxy_fields(io, state) && io.has(4, true) && io.within(4, leg_fields, state.client, rest_of(state)) &&
      (alternative<Http1>(io, 6, state.protocol, http1_fields, state) ||
       alternative<Boxed<Http2>>(io, 120, state.protocol,
                                 [](auto& in, auto& box) { return http2_fields(in, in.content(box)); }) ||
       alternative<Raw>(io, 7, state.protocol, [&](auto& in, auto&) { return tunnel_fields(in, state); }) ||
       alternative<Arriving>(io, 70, state.protocol, arriving_fields));
  if (!is_whole) return false;
  const bool has_upstream = io.has(5, state.upstream() != nullptr);
  if (has_upstream && !state.exchange) return false;
  if (has_upstream && !io.within(5, upstream_fields, io.begun(state.exchange->upstream))) return false;
  return carriers(io, state);
};

constexpr auto idle_upstream_fields = [](auto& io, auto& idle) -> bool {
  return io.bytes(1, idle.upstream) && io.within(2, address_fields, idle.server) && io.time(3, idle.idle_since_ms) &&
         io.number(80, idle.requests) && io.time(81, idle.opened_ms) &&
         (!io.has(4, idle.leg != Leg{}) || io.within(4, leg_fields, idle.leg)) &&
         boxed(io, 130, idle.frames, frames_fields);
};

// ── Moved ─────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr unsigned connection_field = 1;
constexpr unsigned idle_upstream_field = 2;

// The field `whole` at the end of each record, so that none that is cut short can be read.
constexpr std::string_view whole_mark =
    "\xfd\xff\xff\xff\x0f"
    "BATN";

std::string whole(unsigned field, const auto& fields, const auto& state) {
  Writer out;
  out.end_with(whole_mark);
  out.within(field, fields, state);
  return std::string(out.written());
}

}  // namespace

std::string encode(const ConnectionState& state) {
  return whole(connection_field, connection_fields, state);
}

std::string encode(const IdleUpstream& idle) {
  return whole(idle_upstream_field, idle_upstream_fields, idle);
}

std::optional<Moved> read(std::string_view record, std::int64_t clock_offset_ms, std::string_view& secrets) {
  if (!record.ends_with(whole_mark)) return std::nullopt;
  record.remove_suffix(whole_mark.size());
  std::optional<Moved> moved(std::in_place);
  const bool is_whole = Reader::read(record, {clock_offset_ms, secrets}, [&](Reader& in) {
    if (in.has(connection_field))
      return in.within(connection_field, connection_fields, std::get<ConnectionState>(*moved));
    return in.has(idle_upstream_field) &&
           in.within(idle_upstream_field, idle_upstream_fields, moved->emplace<IdleUpstream>());
  });
  if (!is_whole) moved.reset();
  return moved;
}

}  // namespace baton::state
