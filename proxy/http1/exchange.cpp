#include "proxy/http1/exchange.hpp"

#include <algorithm>
#include <limits>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/phases.hpp"
#include "proxy/tunnel/tunnel.hpp"

namespace baton::http1 {

using namespace state;

HeadEnd find_head_within(const Buffer& unread, const Rules& rules, std::uint32_t& scanned) {
  const std::string_view raw = unread.view().substr(0, rules.head_bytes);
  scanned = std::min(scanned, static_cast<std::uint32_t>(raw.size()));
  return find_head_end(raw, scanned);
}

Ask answer(ConnectionState& state, const Context& context, std::uint16_t status, bool head_only, std::string_view why) {
  Http1& http1 = http1_of(state);
  context.scratch.refusal = {status, why};
  state.upstream.reset();
  if (state.client.unsent.empty()) state.client.write_at_ms = context.now_ms;
  const std::size_t content_bytes =
      write_own_response({.status = status, .close = true, .head_only = head_only,
                          .unix_time_s = context.unix_us / 1'000'000}, state.client.unsent);
  if (http1.access.started_ms == 0) {
    http1.access.started_ms = context.now_ms;
    http1.access.started_unix_us = context.unix_us;
  }
  http1.access.status = status;
  http1.access.response_bytes = content_bytes;
  http1.phase = Answering{};
  return advance(state, context);
}

namespace {

constexpr unsigned attempts_max = 255;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

Ask relay(ConnectionState& state, const Context& context);

Ask connected(ConnectionState& state, const Context& context) {
  Http1& http1 = http1_of(state);
  const Connecting connecting = std::get<Connecting>(http1.phase);
  // Limits have judged it when it came; those of now may be smaller.
  if (const HeadError error = read_request_head(state, connecting.head_bytes, {}, context)) {
    // It was good once: this version is stricter than the one that accepted it.
    return answer(state, context, error.status, connecting.request.head_only, error.text);
  }
  Buffer& out = state.upstream->unsent;
  write_request_head(context.scratch.request, context.scratch.meaning,
                     {context.client_address, context.https, context.client_subject, context.rules.underscores}, out);
  state.upstream->write_at_ms = context.now_ms;
  Relaying& relaying = http1.phase.emplace<Relaying>();
  relaying.request = connecting.request;
  relaying.request.body = context.scratch.meaning.body;
  relaying.request.body_bytes = 0;
  relaying.head_bytes = connecting.head_bytes;
  relaying.attempts = connecting.attempts;
  if (connecting.request.idempotent) {
    relaying.held = connecting.head_bytes;
  } else {
    state.client.unread.consume(connecting.head_bytes);
  }
  return relay(state, context);
}

// ── The end of an exchange ────────────────────────────────────────────────────────────────────────────────────────

Ask end_exchange(ConnectionState& state, const Context& context) {
  Http1& http1 = http1_of(state);
  Relaying& relaying = std::get<Relaying>(http1.phase);
  const auto& response = std::get<ResponseRelayed>(relaying.response);
  if (state.upstream) {
    const UpstreamLeg& upstream = *state.upstream;
    const bool is_whole = has_ended(relaying.request.body) && !relaying.upload_abandoned && upstream.all_sent();
    const bool reusable = is_whole && response.upstream_keep_alive && !upstream.read_ended && !upstream.write_ended &&
                          upstream.unread.empty();
    if (reusable) return Ask::park;
    if (is_whole) return Ask::close_upstream;
    state.upstream.reset();
  }
  if (!state.client.all_sent()) {
    if (!has_ended(relaying.request.body)) relaying.upload_abandoned = true;   // nobody is left to take the rest
    return Ask::wait;
  }
  const Request& request = relaying.request;
  if (request.keep_alive && has_ended(request.body)) {
    http1.phase = AwaitingRequest{.since_ms = context.now_ms};
    return Ask::exchange_ended;
  }
  // A client that did not expect the end may still be sending; it must be able to read what we sent.
  if (request.asked_close && has_ended(request.body) && state.client.unread.empty()) return Ask::close;
  http1.phase = Lingering{context.now_ms};
  return Ask::exchange_ended;
}

Ask relay(ConnectionState& state, const Context& context) {
  Http1& http1 = http1_of(state);
  Relaying& relaying = std::get<Relaying>(http1.phase);
  const bool awaited = std::holds_alternative<ResponseAwaited>(relaying.response);
  Upload upload = Upload::going_on;
  if (state.upstream || relaying.upload_abandoned) upload = relay_upload(state, relaying, context);
  if (upload == Upload::malformed || upload == Upload::too_large) {
    if (!awaited) return Ask::reset;
    const bool head_only = relaying.request.head_only;
    if (upload == Upload::too_large) return answer(state, context, 413, head_only, body_too_large);
    return answer(state, context, 400, head_only, "malformed chunks or trailers");
  }
  const bool cut_short = upload == Upload::going_on && !has_ended(relaying.request.body) && state.client.read_ended &&
                         (!state.upstream || state.upstream->unsent.empty());
  if (awaited) {
    if (cut_short) return answer(state, context, 400, relaying.request.head_only, "the body is cut short");
    if (const Ask ask = relay_response_head(state, context); ask != Ask::wait) return ask;
    // An answer of our own, a tunnel, or still no response: nothing to relay.
    const auto* now = std::get_if<Http1>(&state.protocol);
    if (now == nullptr) return advance(state, context);
    const auto* still = std::get_if<Relaying>(&now->phase);
    if (still == nullptr || std::holds_alternative<ResponseAwaited>(still->response)) return Ask::wait;
  }
  auto& response = std::get<ResponseRelayed>(relaying.response);
  switch (relay_download(state, response, context)) {
    case Download::broken:
      return state.client.all_sent() ? Ask::reset : Ask::wait;      // what came before it is the client's
    case Download::going_on:
      return cut_short ? Ask::reset : Ask::wait;
    case Download::ended:
      break;
  }
  return end_exchange(state, context);
}

Ask tunnelled(ConnectionState& state, const Context& context) {
  switch (tunnel::advance(state, context.rules.buffer_bytes, context.now_ms)) {
    case tunnel::Need::connect: return Ask::connect;
    case tunnel::Need::nothing: return Ask::wait;
    case tunnel::Need::end_client_writing: return Ask::end_client_writing;
    case tunnel::Need::end_upstream_writing: return Ask::end_upstream_writing;
    case tunnel::Need::close: return Ask::close;
    case tunnel::Need::reset: return Ask::reset;
  }
  return Ask::wait;
}

// The upload's turn: bytes of the body are to come and there is room for them.
bool awaits_body(const ConnectionState& state, const Relaying& relaying) {
  return !has_ended(relaying.request.body) && !state.client.read_ended &&
         (relaying.upload_abandoned || (state.upstream && state.upstream->all_sent()));
}

constexpr std::string_view took_too_long = "timeouts.total: the exchange takes too long";

// When an exchange is over, wherever it stands.
std::int64_t total_deadline(std::int64_t since_ms, const Rules& rules) {
  return rules.total_ms == 0 ? never : since_ms + rules.total_ms;
}

std::int64_t relaying_deadline(const ConnectionState& state, const Relaying& relaying, const Rules& rules) {
  std::int64_t deadline = never;
  const auto* relayed = std::get_if<ResponseRelayed>(&relaying.response);
  const bool may_be_quiet = relayed != nullptr && relayed->may_be_quiet;
  if (!state.client.all_sent()) deadline = std::min(deadline, state.client.write_at_ms + rules.send_ms);
  const bool body_awaited = awaits_body(state, relaying);
  const bool continue_awaited = relaying.request.expects_continue;
  if (body_awaited && !continue_awaited) {
    std::int64_t since = std::max(state.client.read_at_ms, state.client.write_at_ms);
    if (state.upstream) since = std::max(since, state.upstream->write_at_ms);     // then it became the client's turn
    // Beside a stream of responses comes a stream of requests.
    deadline = std::min(deadline, since + (may_be_quiet ? rules.tunnel_idle_ms : rules.body_ms));
  }
  const bool response_ended = relayed != nullptr && has_ended(relayed->body);
  const bool client_is_slow = state.client.unsent.size() >= rules.buffer_bytes;
  if (state.upstream && !response_ended && !client_is_slow && (!body_awaited || continue_awaited)) {
    const std::int64_t since = std::max(state.upstream->read_at_ms, state.upstream->write_at_ms);
    deadline = std::min(deadline, since + (relayed == nullptr ? rules.response_ms
                                           : may_be_quiet     ? rules.tunnel_idle_ms
                                                              : rules.response_body_ms));
  }
  return deadline;
}

Ask retry_or_answer(ConnectionState& state, std::uint16_t status, const Context& context) {
  Http1& http1 = http1_of(state);
  if (auto* connecting = std::get_if<Connecting>(&http1.phase)) {
    if (connecting->attempts < attempts_max) ++connecting->attempts;
    if (connecting->attempts < std::min(context.servers, attempts_max)) return Ask::connect;
    return answer(state, context, status, connecting->request.head_only, "no server could be connected");
  }
  const Relaying relaying = std::get<Relaying>(http1.phase);
  const bool stale = state.upstream && state.upstream->reused;
  const unsigned attempts = relaying.attempts + (stale ? 0u : 1u);
  // What is no response, on a connection that has served before, belongs to an exchange before this one.
  const std::string_view came = state.upstream->unread.view();
  const bool is_unanswered = came.empty() || (stale && !can_begin_a_response(came));
  const bool again = relaying.held != 0 && is_unanswered && (stale || attempts < context.servers);
  if (!again) return answer(state, context, status, relaying.request.head_only, "the server ended the connection");
  state.upstream.reset();
  http1.phase = Connecting{.request = relaying.request,
                           .head_bytes = relaying.head_bytes,
                           .attempts = static_cast<std::uint8_t>(std::min(attempts, attempts_max)),
                           .fresh = true};
  return Ask::connect;
}

}  // namespace

Ask advance(ConnectionState& state, const Context& context) {
  if (std::holds_alternative<Tunnel>(state.protocol)) return tunnelled(state, context);
  Http1& http1 = http1_of(state);
  if (auto* awaiting = std::get_if<AwaitingRequest>(&http1.phase)) return await_request(state, *awaiting, context);
  if (std::holds_alternative<Connecting>(http1.phase)) {
    return state.upstream ? connected(state, context) : Ask::connect;
  }
  if (std::holds_alternative<Relaying>(http1.phase)) return relay(state, context);
  if (std::holds_alternative<Answering>(http1.phase)) {
    if (!state.client.all_sent()) return Ask::wait;
    http1.phase = Lingering{context.now_ms};
    return Ask::exchange_ended;
  }
  state.client.unread.clear();
  if (!state.client.write_ended) return Ask::end_client_writing;
  return state.client.read_ended && state.client.all_sent() ? Ask::close : Ask::wait;
}

Ask upstream_lost(ConnectionState& state, Loss loss, const Context& context) {
  auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) {
    Tunnel& tunnel = std::get<Tunnel>(state.protocol);
    if (state.upstream) {
      tunnel::note_lost(*state.upstream);
      return Ask::wait;
    }
    if (loss == Loss::unreachable) return Ask::reset;
    if (tunnel.attempts < attempts_max) ++tunnel.attempts;
    return tunnel.attempts < std::min(context.servers, attempts_max) ? Ask::connect : Ask::reset;
  }
  switch (loss) {
    case Loss::unreachable:
      if (auto* connecting = std::get_if<Connecting>(&http1->phase)) connecting->attempts = attempts_max;
      return retry_or_answer(state, 502, context);
    case Loss::connect_failed: return retry_or_answer(state, 502, context);
    case Loss::connect_timed_out: return retry_or_answer(state, 504, context);
    case Loss::reset: break;
  }
  auto* relaying = std::get_if<Relaying>(&http1->phase);
  if (relaying == nullptr) return Ask::close;
  if (std::holds_alternative<ResponseAwaited>(relaying->response)) return retry_or_answer(state, 502, context);
  // What came of the response goes on before the client is reset; it may even be all of it.
  if (!state.upstream) return Ask::reset;
  state.upstream->read_ended = state.upstream->was_reset = true;
  upstream_write_failed(state);
  return Ask::wait;
}

void upstream_write_failed(ConnectionState& state) {
  auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return tunnel::note_write_failed(*state.upstream);
  state.upstream->drop_unsent();
  if (auto* relaying = std::get_if<Relaying>(&http1->phase)) relaying->upload_abandoned = true;
}

Ask client_lost(ConnectionState& state) {
  if (!std::holds_alternative<Tunnel>(state.protocol) || !state.upstream) return Ask::reset;
  tunnel::note_lost(state.client);
  return Ask::wait;
}

Ask client_write_failed(ConnectionState& state) {
  if (!std::holds_alternative<Tunnel>(state.protocol) || !state.upstream) return Ask::reset;
  tunnel::note_write_failed(state.client);
  return Ask::wait;
}

Ask expire(ConnectionState& state, const Context& context) {
  auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return Ask::reset;      // neither side has said that it has ended
  if (const auto* awaiting = std::get_if<AwaitingRequest>(&http1->phase)) {
    if (state.client.unread.empty()) return Ask::close;
    note_access(*http1, awaiting->since_ms, context, nullptr, state.client.unread.view());
    const bool in_all = total_deadline(awaiting->since_ms, context.rules) <= context.now_ms;
    return answer(state, context, 408, false, in_all ? took_too_long : "timeouts.head: the head is not whole");
  }
  if (std::holds_alternative<Lingering>(http1->phase)) return Ask::close;
  if (const auto* connecting = std::get_if<Connecting>(&http1->phase)) {
    return answer(state, context, 504, connecting->request.head_only, took_too_long);
  }
  const auto* relaying = std::get_if<Relaying>(&http1->phase);
  if (relaying == nullptr) return Ask::reset;
  if (!std::holds_alternative<ResponseAwaited>(relaying->response)) return Ask::reset;
  const bool client_is_late = awaits_body(state, *relaying) && !relaying->request.expects_continue;
  const bool head_only = relaying->request.head_only;
  if (total_deadline(http1->access.started_ms, context.rules) <= context.now_ms) {
    return answer(state, context, client_is_late ? 408 : 504, head_only, took_too_long);
  }
  if (client_is_late) return answer(state, context, 408, head_only, "timeouts.body: nothing came of the body");
  return answer(state, context, 504, head_only, "timeouts.response: the server has not answered");
}

std::int64_t deadline_ms(const ConnectionState& state, const Rules& rules) {
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) {
    return state.upstream ? tunnel::deadline_ms(state, rules.tunnel_idle_ms, rules.send_ms) : never;
  }
  if (const auto* awaiting = std::get_if<AwaitingRequest>(&http1->phase)) {
    if (state.client.unread.empty()) return awaiting->since_ms + rules.idle_ms;
    return std::min(awaiting->since_ms + rules.head_ms, total_deadline(awaiting->since_ms, rules));
  }
  const std::int64_t total = total_deadline(http1->access.started_ms, rules);
  if (std::holds_alternative<Connecting>(http1->phase)) return total;
  if (const auto* relaying = std::get_if<Relaying>(&http1->phase)) {
    return std::min(relaying_deadline(state, *relaying, rules), total);
  }
  if (std::holds_alternative<Answering>(http1->phase)) return state.client.write_at_ms + rules.send_ms;
  if (const auto* lingering = std::get_if<Lingering>(&http1->phase)) {
    const std::int64_t quiet_since = std::max(lingering->since_ms, state.client.read_at_ms);
    return std::min(lingering->since_ms + linger_ms, quiet_since + linger_quiet_ms);
  }
  return never;
}

std::size_t wanted_from_client(const ConnectionState& state, const Rules& rules) {
  if (state.client.read_ended) return 0;
  const std::size_t held = state.client.unread.size();
  const auto room = [&](std::uint64_t most) { return most > held ? static_cast<std::size_t>(most - held) : 0; };
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return room(rules.buffer_bytes);
  if (std::holds_alternative<AwaitingRequest>(http1->phase)) return room(std::max(rules.head_bytes, rules.buffer_bytes));
  if (const auto* relaying = std::get_if<Relaying>(&http1->phase)) {
    if (has_ended(relaying->request.body)) return 0;
    return room(relaying->held + std::max(rules.buffer_bytes, rules.head_bytes));
  }
  return std::holds_alternative<Lingering>(http1->phase) ? room(rules.buffer_bytes) : 0;
}

std::size_t wanted_from_upstream(const ConnectionState& state, const Rules& rules) {
  if (!state.upstream || state.upstream->read_ended) return 0;
  const std::uint64_t most = std::max(rules.buffer_bytes, rules.head_bytes);
  const std::size_t held = state.upstream->unread.size();
  return most > held ? static_cast<std::size_t>(most - held) : 0;
}

bool at_boundary(const ConnectionState& state) {
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  return http1 != nullptr && std::holds_alternative<AwaitingRequest>(http1->phase);
}

bool is_idle(const ConnectionState& state) {
  const bool has_half_a_record = state.client.tls && !state.client.tls->received.empty();
  return at_boundary(state) && state.client.unread.empty() && !has_half_a_record;
}

}  // namespace baton::http1
