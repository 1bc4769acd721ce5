#include "proxy/state/to_wire.hpp"

namespace baton::state {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

void write(const SocketAddress& address, wire::Address& out) {
  out.set_family(static_cast<std::uint32_t>(address.family));
  out.set_port(address.port);
  out.set_scope(address.scope);
  if (address.family == Family::ipv4) out.set_ip(address.ip.data(), 4);
  if (address.family == Family::ipv6) out.set_ip(address.ip.data(), 16);
  out.set_path(address.path.data(), address.path.size());
}

void write(const Tls& tls, wire::Tls& out) {
  out.set_stage(static_cast<std::uint32_t>(tls.stage));
  out.set_since_ms(tls.since_ms);
  out.set_received(tls.received.data(), tls.received.size());
  out.set_sealed(tls.sealed.data(), tls.sealed.size());
  out.set_is_client(tls.is_client);
  out.set_version(tls.version);
  out.set_suite(tls.suite);
  out.set_fragment_bytes(tls.fragment_bytes);
  out.set_read_sequence(tls.read.sequence);
  out.set_write_sequence(tls.write.sequence);
  out.set_explicit_nonce(tls.explicit_nonce);
  out.set_key_update_owed(tls.key_update_owed);
  out.set_no_renegotiation_owed(tls.no_renegotiation_owed);
  out.set_close_received(tls.close_received);
  out.set_alert(tls.alert);
  out.set_end(static_cast<std::uint32_t>(tls.end));
  out.set_idle_records(tls.idle_records);
  out.set_message_left(tls.message_left);
  out.set_message_head(tls.message_head.data(), tls.message_head_bytes);
  out.set_sealed_at_ms(tls.sealed_at_ms);
  out.set_burst_bytes(tls.burst_bytes);
  out.set_server_name(tls.facts.server_name.data(), tls.facts.server_name.size());
  out.set_alpn(tls.facts.alpn.data(), tls.facts.alpn.size());
  out.set_client_subject(tls.facts.client_subject.data(), tls.facts.client_subject.size());
  out.set_resumed(tls.facts.resumed);
  out.set_terms(tls.facts.terms.data(), tls.facts.terms.size());
}

void write(const Leg& leg, wire::Leg& out) {
  out.set_unread(leg.unread.data(), leg.unread.size());
  out.set_unsent(leg.unsent.data(), leg.unsent.size());
  out.set_read_ended(leg.read_ended);
  out.set_write_ended(leg.write_ended);
  out.set_was_reset(leg.was_reset);
  out.set_read_at_ms(leg.read_at_ms);
  out.set_write_at_ms(leg.write_at_ms);
  if (leg.tls) write(*leg.tls, *out.mutable_tls());
}

void write(const BodyFraming& framing, wire::Framing& out) {
  std::visit(Overloaded{
                 [&](const NoBody&) { out.mutable_no_body(); },
                 [&](const ByLength& body) { out.mutable_by_length()->set_remaining(body.remaining); },
                 [&](const ByChunks& body) {
                   auto& chunks = *out.mutable_by_chunks();
                   const bool is_within = body.position > ChunkPosition::trailers;
                   const ChunkPosition position = is_within ? ChunkPosition::extension : body.position;
                   chunks.set_position(static_cast<std::uint32_t>(position));
                   if (is_within) chunks.set_within_extension(static_cast<std::uint32_t>(body.position));
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

void write_access(const Exchange& exchange, wire::Access& out) {
  out.set_started_ms(exchange.started_ms);
  out.set_started_unix_us(exchange.started_unix_us);
  out.set_status(exchange.status);
  out.set_response_bytes(exchange.response_bytes);
  if (!exchange.access) return;
  const AccessRecord& access = *exchange.access;
  out.set_request_line(access.request_line.data(), access.request_line.size());
  out.set_referer(access.referer.data(), access.referer.size());
  out.set_user_agent(access.user_agent.data(), access.user_agent.size());
  out.set_upstream(access.upstream.data(), access.upstream.size());
}

void write(const Request& request, const Relaying& relaying, wire::Relaying& out) {
  write(request, *out.mutable_request());
  out.set_head_bytes(relaying.head_bytes);
  out.set_held(relaying.held);
  out.set_attempts(relaying.attempts);
  out.set_upload_abandoned(relaying.upload_abandoned);
  std::visit(Overloaded{
                 [&](const ResponseAwaited& awaited) {
                   out.mutable_awaited()->set_scanned(awaited.scanned);
                   out.mutable_awaited()->set_interim_bytes(awaited.interim_bytes);
                 },
                 [&](const ResponseRelayed& relayed) {
                   write(relayed.body, *out.mutable_relayed()->mutable_body());
                   out.mutable_relayed()->set_dechunk(relayed.dechunk);
                   out.mutable_relayed()->set_upstream_keep_alive(relayed.upstream_keep_alive);
                   out.mutable_relayed()->set_may_be_quiet(relayed.may_be_quiet);
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
                 [&](const Lingering& lingering) { out.mutable_lingering()->set_since_ms(lingering.since_ms); },
             },
             http1.phase);
}

void write(const Exchange& exchange, wire::Http1& out) {
  std::visit(Overloaded{
                 [&](const Connecting& connecting) {
                   auto& phase = *out.mutable_connecting();
                   write(exchange.request, *phase.mutable_request());
                   phase.set_head_bytes(connecting.head_bytes);
                   phase.set_attempts(connecting.attempts);
                   phase.set_fresh(connecting.fresh);
                 },
                 [&](const Relaying& relaying) { write(exchange.request, relaying, *out.mutable_relaying()); },
                 [&](const Answering&) { out.mutable_answering(); },
                 [&](const Tunnelling&) {},
             },
             exchange.phase);
  out.set_route(exchange.route.data(), exchange.route.size());
  write_access(exchange, *out.mutable_access());
}

}  // namespace

void write(const ConnectionState& state, wire::Connection& out) {
  out.set_id(state.id);
  out.set_listener(state.listener.data(), state.listener.size());
  write(state.client_address, *out.mutable_client_address());
  write(state.client, *out.mutable_client());
  if (const UpstreamLeg* leg = state.upstream()) {
    auto& upstream = *out.mutable_upstream();
    write(static_cast<const Leg&>(*leg), *upstream.mutable_leg());
    upstream.set_name(leg->upstream.data(), leg->upstream.size());
    write(leg->server, *upstream.mutable_server());
    upstream.set_reused(leg->reused);
  }
  if (const auto* http1 = std::get_if<Http1>(&state.protocol)) {
    auto& protocol = *out.mutable_http1();
    protocol.set_requests(http1->requests);
    if (state.exchange) {
      write(*state.exchange, protocol);
    } else {
      write(*http1, protocol);
    }
    return;
  }
  auto& tunnel = *out.mutable_tunnel();
  if (!state.exchange) return;
  const auto& tunnelling = std::get<Tunnelling>(state.exchange->phase);
  write_access(*state.exchange, *tunnel.mutable_access());
  tunnel.set_route(state.exchange->route.data(), state.exchange->route.size());
  tunnel.set_upstream(tunnelling.upstream.data(), tunnelling.upstream.size());
  tunnel.set_attempts(tunnelling.attempts);
}

void write(const IdleUpstream& idle, wire::IdleUpstream& out) {
  out.set_upstream(idle.upstream.data(), idle.upstream.size());
  write(idle.server, *out.mutable_server());
  out.set_idle_since_ms(idle.idle_since_ms);
  if (idle.leg != Leg{}) write(idle.leg, *out.mutable_leg());
}

}  // namespace baton::state
