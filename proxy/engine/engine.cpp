#include "proxy/engine/engine.hpp"

#include <algorithm>
#include <limits>

#include "proxy/http1/body.hpp"
#include "proxy/tunnel/tunnel.hpp"

namespace baton::engine {

using namespace state;

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

Ends ends_of(ClientSide& side) {
  return {side.client, side.upstream()};
}

bool is_tunnel(const ConnectionState& state) { return std::holds_alternative<Raw>(state.protocol); }
bool is_tunnel(const Exchange& exchange) {
  return std::holds_alternative<Tunnelling>(exchange.phase);
}

[[gnu::noinline]] Action linger(ConnectionState& state) {
  state.client.unread.clear();
  if (!state.client.write_ended) return Action::end_client_writing;
  return state.client.read_ended && state.client.all_sent() ? Action::close : Action::wait;
}

[[gnu::noinline]] Action advance_tunnel(ConnectionState& state, const Context& context) {
  return tunnel::advance(*state.exchange, ends_of(state), context.rules->buffer_bytes, context.now_ms);
}

// What the end of its exchange means for the connection.
Action after(ConnectionState& state, Action action, std::int64_t now_ms) {
  Http1& http1 = std::get<Http1>(state.protocol);
  if (action == Action::exchange_ended) http1.phase = AwaitingRequest{.since_ms = now_ms};
  if (action == Action::exchange_ended_early) http1.phase = Lingering{now_ms};
  return action;
}

// Both are bare sockets, and what one receives next is what the other sends next.
bool is_straight(const Flow& from, const Flow& to) {
  return !from.tls && !to.tls && !from.stream && !to.stream && from.unread.empty() && to.unsent.empty() &&
         !from.read_ended && !to.write_ended;
}

void note_unseen(Flow& from, Flow& to, std::int64_t now_ms) {
  from.read_at_ms = to.write_at_ms = now_ms;
}

}  // namespace

Need advance(ConnectionState& state, const Context& context) {
  if (is_tunnel(state)) return {state.exchange.get(), advance_tunnel(state, context)};
  if (state.exchange) {
    Exchange& exchange = *state.exchange;
    const Action action = http1::advance(exchange, ends_of(state), context);
    if (!std::holds_alternative<Tunnelling>(exchange.phase)) return {&exchange, after(state, action, context.now_ms)};
    state.protocol = Raw{};
    return {&exchange, advance_tunnel(state, context)};
  }
  if (std::holds_alternative<Lingering>(std::get<Http1>(state.protocol).phase)) return {nullptr, linger(state)};
  const Action action = http1::await_request(state, context);
  return {state.exchange.get(), action};
}

Action advance_stream(ClientSide& side, const Context& context) {
  Action action = Action::wait;
  if (!side.exchange) {
    action = http1::begin_on_stream(side, context);
  } else if (!is_tunnel(*side.exchange)) {
    action = http1::advance(*side.exchange, ends_of(side), context);
  }
  if (!is_tunnel(*side.exchange)) return action;
  return tunnel::advance(*side.exchange, ends_of(side), context.rules->buffer_bytes, context.now_ms);
}

Action expire_stream(ClientSide& side, const Context& context) {
  if (!side.exchange) return Action::reset;
  if (is_tunnel(*side.exchange)) return tunnel::expire(*side.exchange);
  return http1::expire(*side.exchange, ends_of(side), context);
}

std::int64_t stream_deadline_ms(const ClientSide& side, const Rules& rules) {
  if (!side.exchange) return never;
  const UpstreamLeg* const upstream = side.upstream();
  if (!is_tunnel(*side.exchange)) return http1::deadline_ms(*side.exchange, side.client, upstream, rules);
  return upstream != nullptr ? tunnel::deadline_ms(side.client, *upstream, rules.tunnel_idle_ms, rules.send_ms) : never;
}

void reconfigured(ClientSide& side) {
  if (side.exchange) http1::reconfigured(*side.exchange);
}

Action upstream_lost(ClientSide& side, Loss loss, const Context& context) {
  Exchange& exchange = *side.exchange;
  if (is_tunnel(exchange)) return tunnel::upstream_lost(exchange, ends_of(side), loss, context.servers);
  return http1::upstream_lost(exchange, ends_of(side), loss, context);
}

void upstream_write_failed(ClientSide& side) {
  if (is_tunnel(*side.exchange)) return tunnel::note_write_failed(*side.upstream());
  http1::upstream_write_failed(*side.exchange, ends_of(side));
}

Action client_lost(ConnectionState& state) {
  if (!is_tunnel(state) || state.upstream() == nullptr) return Action::reset;
  tunnel::note_lost(state.client);
  return Action::wait;
}

Action client_write_failed(ConnectionState& state) {
  if (!is_tunnel(state) || state.upstream() == nullptr) return Action::reset;
  tunnel::note_write_failed(state.client);
  return Action::wait;
}

Action expire(ConnectionState& state, const Context& context) {
  if (is_tunnel(state)) return tunnel::expire(*state.exchange);
  if (state.exchange) return http1::expire(*state.exchange, ends_of(state), context);
  if (std::holds_alternative<Lingering>(std::get<Http1>(state.protocol).phase)) return Action::close;
  return http1::expire_awaiting(state, context);
}

std::int64_t deadline_ms(const ConnectionState& state, const Rules& rules) {
  const UpstreamLeg* const upstream = state.upstream();
  if (is_tunnel(state)) {
    return upstream != nullptr ? tunnel::deadline_ms(state.client, *upstream, rules.tunnel_idle_ms, rules.send_ms) : never;
  }
  if (state.exchange) return http1::deadline_ms(*state.exchange, state.client, upstream, rules);
  const Http1& http1 = std::get<Http1>(state.protocol);
  if (const auto* awaiting = std::get_if<AwaitingRequest>(&http1.phase)) {
    if (state.client.unread.empty()) return awaiting->since_ms + rules.idle_ms;
    return std::min(awaiting->since_ms + rules.head_ms, http1::total_deadline_ms(awaiting->since_ms, rules));
  }
  const auto& lingering = std::get<Lingering>(http1.phase);
  const std::int64_t quiet_since = std::max(lingering.since_ms, state.client.read_at_ms);
  return std::min(lingering.since_ms + http1::linger_ms, quiet_since + http1::linger_quiet_ms);
}

std::size_t wanted_from_client(const ConnectionState& state, const Rules& rules) {
  if (state.client.read_ended) return 0;
  const std::size_t held = state.client.unread.size();
  const auto room = [&](std::uint64_t most) { return most > held ? static_cast<std::size_t>(most - held) : 0; };
  if (is_tunnel(state)) return room(rules.buffer_bytes);
  if (state.exchange) {
    const std::uint64_t most = http1::unread_bytes_max(*state.exchange, rules);
    return room(most);
  }
  const bool lingers = std::holds_alternative<Lingering>(std::get<Http1>(state.protocol).phase);
  return room(lingers ? rules.buffer_bytes : std::max(rules.head_bytes, rules.buffer_bytes));
}

std::size_t wanted_from_upstream(const ClientSide& side, const Rules& rules) {
  const UpstreamLeg* const upstream = side.upstream();
  if (upstream == nullptr || upstream->read_ended) return 0;
  const std::uint64_t most = std::max(rules.buffer_bytes, rules.head_bytes);
  const std::size_t held = upstream->unread.size();
  return most > held ? static_cast<std::size_t>(most - held) : 0;
}

std::uint64_t unseen_download(const ClientSide& side) {
  const UpstreamLeg* const upstream = side.upstream();
  if (upstream == nullptr || !is_straight(*upstream, side.client)) return 0;
  if (is_tunnel(*side.exchange)) return std::numeric_limits<std::uint64_t>::max();
  const auto* const relaying = std::get_if<Relaying>(&side.exchange->phase);
  const auto* const relayed = relaying != nullptr ? std::get_if<ResponseRelayed>(&relaying->response) : nullptr;
  return relayed != nullptr && !relayed->adds_chunks ? http1::content_ahead(relayed->body) : 0;
}

std::uint64_t unseen_upload(const ClientSide& side) {
  const UpstreamLeg* const upstream = side.upstream();
  if (upstream == nullptr || !is_straight(side.client, *upstream)) return 0;
  if (is_tunnel(*side.exchange)) return std::numeric_limits<std::uint64_t>::max();
  const auto* const relaying = std::get_if<Relaying>(&side.exchange->phase);
  if (relaying == nullptr || relaying->upload_abandoned || relaying->adds_chunks) return 0;
  const Request& request = side.exchange->request;
  const std::uint64_t ahead = http1::content_ahead(request.body);
  if (request.body_bytes_max == 0) return ahead;
  return std::min(ahead, request.body_bytes_max - std::min(request.body_bytes, request.body_bytes_max));
}

void note_unseen_download(ClientSide& side, std::uint64_t bytes, std::int64_t now_ms) {
  note_unseen(*side.upstream(), side.client, now_ms);
  side.exchange->response_bytes += bytes;
  if (auto* const relaying = std::get_if<Relaying>(&side.exchange->phase)) {
    http1::skip_content(std::get<ResponseRelayed>(relaying->response).body, bytes);
  }
}

void note_unseen_upload(ClientSide& side, std::uint64_t bytes, std::int64_t now_ms) {
  note_unseen(side.client, *side.upstream(), now_ms);
  Request& request = side.exchange->request;
  request.body_bytes += bytes;
  if (!std::holds_alternative<Relaying>(side.exchange->phase)) return;
  request.expects_continue = false;
  http1::skip_content(request.body, bytes);
}

bool waits_for_bytes(const ConnectionState& state) {
  const auto has_said_all = [](const Flow& flow) { return flow.unread.empty() && !flow.read_ended; };
  const UpstreamLeg* const upstream = state.upstream();
  if (is_tunnel(state)) {
    return upstream != nullptr && has_said_all(state.client) && has_said_all(*upstream) && !state.client.write_ended &&
           !upstream->write_ended;
  }
  if (!state.exchange) return at_boundary(state) && has_said_all(state.client);
  return upstream != nullptr && has_said_all(*upstream) && http1::awaits_response(*state.exchange);
}

bool at_boundary(const ConnectionState& state) {
  if (const Http2* const http2 = state.http2()) return http2->streams.empty();
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  return http1 != nullptr && !state.exchange && std::holds_alternative<AwaitingRequest>(http1->phase);
}

bool is_idle(const ConnectionState& state) {
  if (std::holds_alternative<Arriving>(state.protocol)) return state.client.unread.empty();
  if (const Http2* const http2 = state.http2(); http2 != nullptr && http2->frames.block_stream != 0) return false;
  const bool has_half_a_record = state.client.tls && !state.client.tls->received.empty();
  return at_boundary(state) && state.client.unread.empty() && !has_half_a_record;
}

}  // namespace baton::engine
