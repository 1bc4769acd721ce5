// A function for each message of state.proto names each of its fields once, beside the member that it carries. With a
// Writer it fills in the message, with a Reader the state. False: the message is refused; a Writer never refuses.
#include "proxy/state/wire.hpp"

#include <variant>

#include "proxy/state/wire_io.hpp"

namespace baton::state {

namespace {

// ── Addresses and legs ────────────────────────────────────────────────────────────────────────────────────────────

bool is_tunnelling(const Exchange& exchange) {
  return std::holds_alternative<Tunnelling>(exchange.phase);
}

constexpr std::size_t ip_bytes(Family family) {
  return family == Family::ipv4 ? 4 : family == Family::ipv6 ? 16 : 0;
}

bool address(auto io, auto& address) {
  if (!io.choice(FIELD(family), address.family, Family::unix_path)) return false;
  return io.number(FIELD(port), address.port) && io.number(FIELD(scope), address.scope) &&
         io.part(FIELD(ip), address.ip, ip_bytes(address.family)) && io.bytes(FIELD(path), address.path);
}

bool facts(auto io, auto& facts) {
  return io.bytes(FIELD(server_name), facts.server_name) && io.bytes(FIELD(alpn), facts.alpn) &&
         io.bytes(FIELD(client_subject), facts.client_subject) && io.number(FIELD(resumed), facts.resumed) &&
         io.bytes(FIELD(terms), facts.terms);
}

bool may_continue(const Tls& tls) {
  if (tls.stage == TlsStage::hello) return true;
  const bool is_tls13 = tls.version == 0x0304;
  if (is_tls13 ? tls.no_renegotiation_owed : tls.key_update_owed) return false;  // this belongs to the other version
  return tls.stage == TlsStage::records && tls.fragment_bytes != 0 && tls.fragment_bytes <= 16384;
}

bool tls(auto io, auto& tls) {
  const bool is_whole =
      io.choice(FIELD(stage), tls.stage, TlsStage::records) && io.time(FIELD(since_ms), tls.since_ms) &&
      io.bytes(FIELD(received), tls.received) && io.bytes(FIELD(sealed), tls.sealed) &&
      io.number(FIELD(is_client), tls.is_client) && io.number(FIELD(version), tls.version) &&
      io.number(FIELD(suite), tls.suite) && io.number(FIELD(fragment_bytes), tls.fragment_bytes) &&
      io.number(FIELD(read_sequence), tls.read.sequence) && io.number(FIELD(write_sequence), tls.write.sequence) &&
      io.number(FIELD(explicit_nonce), tls.explicit_nonce) && io.number(FIELD(key_update_owed), tls.key_update_owed) &&
      io.number(FIELD(no_renegotiation_owed), tls.no_renegotiation_owed) &&
      io.number(FIELD(close_received), tls.close_received) && io.number(FIELD(alert), tls.alert) &&
      io.choice(FIELD(end), tls.end, TlsEnd::shut) && io.number(FIELD(idle_records), tls.idle_records) &&
      io.number(FIELD(message_left), tls.message_left) &&
      io.beginning(FIELD(message_head), tls.message_head, tls.message_head_bytes) &&
      io.time(FIELD(sealed_at_ms), tls.sealed_at_ms) && io.number(FIELD(burst_bytes), tls.burst_bytes) &&
      facts(io, tls.facts);
  if (!is_whole || !io.accepts(may_continue(tls))) return false;
  return tls.stage == TlsStage::hello || io.secrets(tls.read.secrets, tls.write.secrets);
}

bool stream(auto io, auto& stream) {
  const bool is_whole =
      io.number(FIELD(id), stream.id) && io.number(FIELD(send_window), stream.send_window) &&
      io.number(FIELD(receive_window), stream.receive_window) &&
      io.number(FIELD(declared_left), stream.declared_left) && io.number(FIELD(head_bytes), stream.head_bytes) &&
      io.number(FIELD(is_declared), stream.is_declared) && io.number(FIELD(has_body), stream.has_body) &&
      io.number(FIELD(end_sent), stream.end_sent) && io.number(FIELD(takes_connect), stream.takes_connect) &&
      io.number(FIELD(refused_with), stream.refused_with) && io.bytes(FIELD(heads), stream.heads) &&
      io.number(FIELD(head_came), stream.head_came) && io.number(FIELD(is_head_request), stream.is_head_request) &&
      io.number(FIELD(reset_code), stream.reset_code) && io.number(FIELD(window), stream.window) &&
      io.number(FIELD(wanted), stream.wanted) && io.number(FIELD(until_edge), stream.until_edge) &&
      io.time(FIELD(edge_ms), stream.edge_ms);
  if (!is_whole) return false;
  const auto has_in = io.has_text(FIELD(trailers_in), static_cast<bool>(stream.trailers_in));
  if (has_in && !io.bytes(FIELD(trailers_in), io.begun(stream.trailers_in))) return false;
  const auto has_out = io.has_text(FIELD(trailers_out), static_cast<bool>(stream.trailers_out));
  return !has_out || io.bytes(FIELD(trailers_out), io.begun(stream.trailers_out));
}

bool leg(auto io, auto& leg) {
  const bool has_stream = io.has(MESSAGE(stream), static_cast<bool>(leg.stream));
  if (has_stream && !stream(io.in(MESSAGE(stream)), io.begun(leg.stream))) return false;
  if (io.has(MESSAGE(tls), static_cast<bool>(leg.tls)) && !tls(io.in(MESSAGE(tls)), io.begun(leg.tls))) return false;
  return io.bytes(FIELD(unread), leg.unread) && io.bytes(FIELD(unsent), leg.unsent) &&
         io.number(FIELD(read_ended), leg.read_ended) && io.number(FIELD(write_ended), leg.write_ended) &&
         io.number(FIELD(was_reset), leg.was_reset) && io.time(FIELD(read_at_ms), leg.read_at_ms) &&
         io.time(FIELD(write_at_ms), leg.write_at_ms);
}

bool frames(auto io, auto& frames) {
  const bool is_whole =
      io.value(frames.table, MESSAGE(table)) && io.bytes(FIELD(block), frames.block) &&
      io.number(FIELD(block_stream), frames.block_stream) && io.number(FIELD(block_frames), frames.block_frames) &&
      io.number(FIELD(block_ends_stream), frames.block_ends_stream) &&
      io.number(FIELD(preface_came), frames.preface_came) && io.number(FIELD(settings_came), frames.settings_came) &&
      io.number(FIELD(settings_acknowledged), frames.settings_acknowledged) &&
      io.number(FIELD(has_small_table), frames.has_small_table) && io.number(FIELD(goaway_sent), frames.goaway_sent) &&
      io.number(FIELD(has_failed), frames.has_failed) && io.number(FIELD(send_window), frames.send_window) &&
      io.number(FIELD(receive_window), frames.receive_window) &&
      io.number(FIELD(peer_stream_window), frames.peer_stream_window) &&
      io.number(FIELD(stream_window), frames.stream_window) && io.number(FIELD(streams_max), frames.streams_max) &&
      io.number(FIELD(last_stream), frames.last_stream) && io.number(FIELD(requests), frames.requests) &&
      io.time(FIELD(idle_since_ms), frames.idle_since_ms) && io.time(FIELD(block_since_ms), frames.block_since_ms) &&
      io.number(FIELD(is_client), frames.is_client) && io.number(FIELD(goaway_came), frames.goaway_came) &&
      io.number(FIELD(takes_connect), frames.takes_connect) &&
      (!frames.is_client || io.number(FIELD(peer_streams_max), frames.peer_streams_max));
  if (!is_whole || !io.has_some(REPEATED(ended), static_cast<bool>(frames.ended))) return is_whole;
  auto& ended = io.begun(frames.ended);
  return io.numbers(REPEATED(ended), ended.ids) && io.number(FIELD(ended_next), ended.next);
}

// Those of a carrier.
bool frames_of(auto io, auto& leg) {
  return !io.has(MESSAGE(frames), static_cast<bool>(leg.frames)) ||
         frames(io.in(MESSAGE(frames)), io.begun(leg.frames));
}

bool upstream(auto io, auto& upstream) {
  return leg(io.in(MESSAGE(leg)), upstream) && io.bytes(FIELD(name), upstream.upstream) &&
         address(io.in(MESSAGE(server)), upstream.server) && io.number(FIELD(reused), upstream.reused) &&
         io.number(FIELD(requests), upstream.requests) && io.time(FIELD(opened_ms), upstream.opened_ms) &&
         io.number(FIELD(carrier), upstream.carrier) && frames_of(io, upstream);
}

// ── Bodies ────────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr auto nothing = [](auto, auto&) { return true; };

// Peers that do not know the positions within an extension read `extension`.
bool chunk_position(auto io, auto& position) {
  constexpr ChunkPosition last_known_to_all = ChunkPosition::trailers;
  ChunkPosition within = position > last_known_to_all ? position : ChunkPosition{};
  ChunkPosition known = within != ChunkPosition{} ? ChunkPosition::extension : position;
  if (!io.choice(FIELD(position), known, last_known_to_all)) return false;
  if (!io.choice(FIELD(within_extension), within, last_chunk_position)) return false;
  const bool is_within = within != ChunkPosition{};
  if (is_within && !io.accepts(within > last_known_to_all && known == ChunkPosition::extension)) return false;
  io.set(position, is_within ? within : known);
  return true;
}

bool framing(auto io, auto& framing) {
  return alternative<NoBody>(io, MESSAGE(no_body), framing, nothing) ||
         alternative<ByLength>(io, MESSAGE(by_length), framing,
                               [](auto length, auto& body) {
                                 return length.number(FIELD(remaining), body.remaining) &&
                                        length.accepts(body.remaining != 0);
                               }) ||
         alternative<ByChunks>(io, MESSAGE(by_chunks), framing,
                               [](auto chunks, auto& body) {
                                 return chunk_position(chunks, body.position) &&
                                        chunks.number(FIELD(remaining), body.remaining) &&
                                        chunks.number(FIELD(line_bytes), body.line_bytes);
                               }) ||
         alternative<UntilClose>(io, MESSAGE(until_close), framing, nothing);
}

// ── Exchanges ─────────────────────────────────────────────────────────────────────────────────────────────────────

bool request(auto io, auto& request) {
  return framing(io.in(MESSAGE(body)), request.body) && io.number(FIELD(body_bytes), request.body_bytes) &&
         io.number(FIELD(body_bytes_max), request.body_bytes_max) && io.number(FIELD(head_only), request.head_only) &&
         io.number(FIELD(idempotent), request.idempotent) && io.number(FIELD(http10), request.http10) &&
         io.number(FIELD(keep_alive), request.keep_alive) &&
         io.number(FIELD(expects_continue), request.expects_continue) &&
         io.number(FIELD(wants_upgrade), request.wants_upgrade) && io.number(FIELD(asked_close), request.asked_close) &&
         io.number(FIELD(is_counted), request.is_counted) && io.number(FIELD(is_grpc), request.is_grpc);
}

bool connecting(auto io, auto& its_request, auto& connecting) {
  return io.has(MESSAGE(request), true) && request(io.in(MESSAGE(request)), its_request) &&
         io.number(FIELD(head_bytes), connecting.head_bytes) && io.number(FIELD(attempts), connecting.attempts) &&
         io.number(FIELD(fresh), connecting.fresh);
}

bool answering(auto io, auto& its_request) {
  if (io.has(MESSAGE(request), true)) return request(io.in(MESSAGE(request)), its_request);
  io.set(its_request.keep_alive, false);
  return true;
}

bool awaited(auto io, auto& awaited) {
  return io.number(FIELD(scanned), awaited.scanned) && io.number(FIELD(interim_bytes), awaited.interim_bytes);
}

bool relayed(auto io, auto& relayed) {
  return framing(io.in(MESSAGE(body)), relayed.body) && io.number(FIELD(dechunk), relayed.dechunk) &&
         io.number(FIELD(upstream_keep_alive), relayed.upstream_keep_alive) &&
         io.number(FIELD(may_be_quiet), relayed.may_be_quiet) && io.number(FIELD(adds_chunks), relayed.adds_chunks);
}

bool relaying(auto io, auto& its_request, auto& relaying) {
  return io.has(MESSAGE(request), true) && request(io.in(MESSAGE(request)), its_request) &&
         io.number(FIELD(head_bytes), relaying.head_bytes) && io.number(FIELD(held), relaying.held) &&
         io.number(FIELD(attempts), relaying.attempts) &&
         io.number(FIELD(upload_abandoned), relaying.upload_abandoned) &&
         io.number(FIELD(adds_chunks), relaying.adds_chunks) &&
         (alternative<ResponseAwaited>(io, MESSAGE(awaited), relaying.response,
                                       [](auto in, auto& response) { return awaited(in, response); }) ||
          alternative<ResponseRelayed>(io, MESSAGE(relayed), relaying.response,
                                       [](auto in, auto& response) { return relayed(in, response); }));
}

bool access(auto io, auto& exchange) {
  const bool is_whole =
      io.time(FIELD(started_ms), exchange.started_ms) && io.number(FIELD(started_unix_us), exchange.started_unix_us) &&
      io.number(FIELD(status), exchange.status) && io.number(FIELD(response_bytes), exchange.response_bytes);
  if (!is_whole || !io.has_text(FIELD(request_line), static_cast<bool>(exchange.access))) return is_whole;
  auto& record = io.begun(exchange.access);
  return io.bytes(FIELD(request_line), record.request_line) && io.bytes(FIELD(referer), record.referer) &&
         io.bytes(FIELD(user_agent), record.user_agent) && io.bytes(FIELD(upstream), record.upstream) &&
         io.bytes(FIELD(user), record.user);
}

bool extras(auto io, auto& exchange) {
  if (!io.has(MESSAGE(extras), static_cast<bool>(exchange.extras))) return true;
  auto& extras = io.begun(exchange.extras);
  const auto in = io.in(MESSAGE(extras));
  if (!in.bytes(FIELD(request_id), extras.request_id) || !in.bytes(FIELD(traceparent), extras.traceparent) ||
      !in.bytes(FIELD(failed), extras.failed) || !in.bytes(FIELD(websocket_accept), extras.websocket_accept))
    return false;
  return !in.has(MESSAGE(client), static_cast<bool>(extras.client)) ||
         address(in.in(MESSAGE(client)), in.begun(extras.client));
}

bool response_edits(auto io, auto& exchange) {
  if (!io.has(MESSAGE(response_edits), static_cast<bool>(exchange.response_edits))) return true;
  auto& planned = io.begun(exchange.response_edits);
  const auto in = io.in(MESSAGE(response_edits));
  return in.bytes(FIELD(removed), planned.removed) && in.bytes(FIELD(fields), planned.fields);
}

bool exchange(auto io, auto& exchange) {
  return io.bytes(FIELD(route), exchange.route) && io.bytes(FIELD(split_to), exchange.split_to) &&
         io.bytes(FIELD(sticky_cookie), exchange.sticky_cookie) &&
         io.time(FIELD(queued_since_ms), exchange.queued_since_ms) && access(io.in(MESSAGE(access)), exchange) &&
         extras(io, exchange) && response_edits(io, exchange) &&
         (alternative<Connecting>(io, MESSAGE(connecting), exchange.phase,
                                  [&](auto in, auto& phase) { return connecting(in, exchange.request, phase); }) ||
          alternative<Relaying>(io, MESSAGE(relaying), exchange.phase,
                                [&](auto in, auto& phase) { return relaying(in, exchange.request, phase); }) ||
          alternative<Answering>(io, MESSAGE(answering), exchange.phase,
                                 [&](auto in, auto&) { return answering(in, exchange.request); }));
}

// ── Connections ───────────────────────────────────────────────────────────────────────────────────────────────────

bool between_exchanges(auto io, auto& http1) {
  return alternative<AwaitingRequest>(io, MESSAGE(awaiting), http1.phase,
                                      [](auto in, auto& phase) {
                                        return in.time(FIELD(since_ms), phase.since_ms) &&
                                               in.number(FIELD(scanned), phase.scanned);
                                      }) ||
         alternative<Lingering>(io, MESSAGE(lingering), http1.phase,
                                [](auto in, auto& phase) { return in.time(FIELD(since_ms), phase.since_ms); });
}

bool http1(auto io, auto& state, auto& http1) {
  if (!io.number(FIELD(requests), http1.requests)) return false;
  const bool is_between = !state.exchange;
  if (is_between && io.has_either(MESSAGE(awaiting), MESSAGE(lingering))) return between_exchanges(io, http1);
  return exchange(io, io.begun(state.exchange));
}

bool tunnel(auto io, auto& state) {
  if (io.lacks(state.exchange)) return true;
  auto& exchange = io.begun(state.exchange);
  auto& phase = io.template begun_as<Tunnelling>(exchange.phase);
  return access(io.in(MESSAGE(access)), exchange) && io.bytes(FIELD(upstream), phase.upstream) &&
         io.number(FIELD(attempts), phase.attempts) && io.bytes(FIELD(route), exchange.route) &&
         io.bytes(FIELD(split_to), exchange.split_to) && extras(io, exchange) &&
         io.time(FIELD(queued_since_ms), exchange.queued_since_ms);
}

bool proxy_fields(auto io, auto& state) {
  if (!io.has_text(FIELD(proxy_fields), static_cast<bool>(state.proxy_fields))) return true;
  auto& fields = io.begun(state.proxy_fields);
  return io.bytes(FIELD(proxy_fields), fields) && io.accepts(fields.size() <= proxy_fields_bytes_max);
}

bool side(auto io, auto& side) {
  if (!leg(io.in(MESSAGE(client)), side.client)) return false;
  const bool is_tunnel = io.has(MESSAGE(tunnel), side.exchange && is_tunnelling(*side.exchange));
  const bool is_request = !is_tunnel && io.has(MESSAGE(http1), static_cast<bool>(side.exchange));
  if (is_tunnel && !tunnel(io.in(MESSAGE(tunnel)), side)) return false;
  if (is_request && !exchange(io.in(MESSAGE(http1)), io.begun(side.exchange))) return false;
  if (!io.has(MESSAGE(upstream), side.upstream() != nullptr)) return true;
  return side.exchange && upstream(io.in(MESSAGE(upstream)), io.begun(side.exchange->upstream));
}

bool http2(auto io, auto& http2) {
  return frames(io.in(MESSAGE(frames)), http2.frames) &&
         io.each(REPEATED(streams), http2.streams, [](auto in, auto& one) { return side(in, one); });
}

bool carriers(auto io, auto& state) {
  if (!io.has_some(REPEATED(carriers), static_cast<bool>(state.carriers))) return true;
  return io.each(REPEATED(carriers), io.begun(state.carriers), [](auto in, auto& one) { return upstream(in, one); });
}

bool connection(auto io, auto& state) {
  const bool is_whole =
      io.number(FIELD(id), state.id) && io.bytes(FIELD(listener), state.listener) &&
      address(io.in(MESSAGE(client_address)), state.client_address) && proxy_fields(io, state) &&
      io.has(MESSAGE(client), true) && leg(io.in(MESSAGE(client)), state.client) &&
      (alternative<Http1>(io, MESSAGE(http1), state.protocol,
                          [&](auto in, auto& protocol) { return http1(in, state, protocol); }) ||
       alternative<Boxed<Http2>>(io, MESSAGE(http2), state.protocol,
                                 [](auto in, auto& box) { return http2(in, in.content(box)); }) ||
       alternative<Raw>(io, MESSAGE(tunnel), state.protocol, [&](auto in, auto&) { return tunnel(in, state); }) ||
       alternative<Arriving>(io, MESSAGE(arriving), state.protocol, [](auto in, auto& arriving) {
         return in.time(FIELD(since_ms), arriving.since_ms) &&
                in.number(FIELD(is_past_header), arriving.is_past_header);
       }));
  if (!is_whole) return false;
  const bool has_upstream = io.has(MESSAGE(upstream), state.upstream() != nullptr);
  if (has_upstream && !state.exchange) return false;
  if (has_upstream && !upstream(io.in(MESSAGE(upstream)), io.begun(state.exchange->upstream))) return false;
  return carriers(io, state);
}

bool idle_upstream(auto io, auto& idle) {
  return io.bytes(FIELD(upstream), idle.upstream) && address(io.in(MESSAGE(server)), idle.server) &&
         io.time(FIELD(idle_since_ms), idle.idle_since_ms) && io.number(FIELD(requests), idle.requests) &&
         io.time(FIELD(opened_ms), idle.opened_ms) &&
         (!io.has(MESSAGE(leg), idle.leg != Leg{}) || leg(io.in(MESSAGE(leg)), idle.leg)) && frames_of(io, idle);
}

}  // namespace

void write(const ConnectionState& state, wire::Connection& out) {
  connection(Writer(out), state);
}

void write(const IdleUpstream& idle, wire::IdleUpstream& out) {
  idle_upstream(Writer(out), idle);
}

bool read(const wire::Connection& in, std::int64_t clock_offset_ms, std::string_view& secrets, ConnectionState& out) {
  return connection(Reader(in, clock_offset_ms, secrets), out);
}

bool read(const wire::IdleUpstream& in, std::int64_t clock_offset_ms, std::string_view& secrets, IdleUpstream& out) {
  return idle_upstream(Reader(in, clock_offset_ms, secrets), out);
}

}  // namespace baton::state
