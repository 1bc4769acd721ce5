#include "proxy/http1/exchange.hpp"

#include <algorithm>
#include <limits>

#include "proxy/http1/body.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/tunnel/tunnel.hpp"

namespace baton::http1 {

using namespace state;

namespace {

constexpr unsigned interim_max = 10;
constexpr unsigned attempts_max = 255;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

Http1& http1_of(ConnectionState& state) { return std::get<Http1>(state.protocol); }

bool has_ended(const BodyFraming& body) { return std::holds_alternative<NoBody>(body); }

// ── Answers of our own ────────────────────────────────────────────────────────────────────────────────────────────

// Only before a byte of the final response has been passed on.
Ask answer(ConnectionState& state, const Context& context, std::uint16_t status, bool head_only) {
  Http1& http1 = http1_of(state);
  state.upstream.reset();
  if (state.client.unsent.empty()) state.client.write_at_ms = context.now_ms;
  write_own_response({.status = status, .close = true, .head_only = head_only,
                      .unix_time_s = context.unix_us / 1'000'000}, state.client.unsent);
  if (http1.access.started_ms == 0) {
    http1.access.started_ms = context.now_ms;
    http1.access.started_unix_us = context.unix_us;
  }
  http1.access.status = status;
  http1.phase = Answering{};
  return advance(state, context);
}

// ── Reading a request's head ──────────────────────────────────────────────────────────────────────────────────────

void note_access(Http1& http1, const Context& context, const RequestHead* head, std::string_view first_line) {
  AccessRecord& access = http1.access;
  access.started_ms = context.now_ms;
  access.started_unix_us = context.unix_us;
  access.status = 0;
  access.response_bytes = 0;
  if (!context.rules.keep_access) return;
  access.request_line.assign(first_line.substr(0, first_line.find_first_of("\r\n")).substr(0, 8192));
  access.referer.clear();
  access.user_agent.clear();
  access.upstream.clear();
  if (head == nullptr) return;
  for (const Field& field : head->fields) {
    if (field.id == FieldName::referer) access.referer.assign(field.value);
    if (field.id == FieldName::user_agent) access.user_agent.assign(field.value);
  }
}

// Parses the head at the front of client.unread into the scratch tables, unless they hold it already.
HeadError read_request_head(const ConnectionState& state, std::size_t head_bytes, const Context& context) {
  Scratch& scratch = context.scratch;
  const std::string_view raw = state.client.unread.view().substr(0, head_bytes);
  const std::uint64_t request = std::get<Http1>(state.protocol).requests;
  if (scratch.parsed_at == raw.data() && scratch.parsed_for == state.id && scratch.parsed_request == request) return {};
  scratch.parsed_at = nullptr;
  scratch.request.method = Method::other;      // whatever was parsed before
  const HeadError error =
      parse_request_head(raw, {context.rules.uri_bytes, context.rules.fields}, scratch.request);
  if (error) return error;
  scratch.meaning = request_meaning(scratch.request);
  if (scratch.meaning.error) return scratch.meaning.error;
  scratch.parsed_at = raw.data();
  scratch.parsed_for = state.id;
  scratch.parsed_request = request;
  return {};
}

Ask begin_exchange(ConnectionState& state, const Context& context, std::size_t head_bytes) {
  Http1& http1 = http1_of(state);
  const Rules& rules = context.rules;
  ++http1.requests;
  const HeadError error = read_request_head(state, head_bytes, context);
  const RequestHead& head = context.scratch.request;
  note_access(http1, context, error ? nullptr : &head, state.client.unread.view());
  if (error) return answer(state, context, error.status, head.method == Method::head);

  const RequestMeaning& meaning = context.scratch.meaning;
  const bool head_only = head.method == Method::head;
  const auto* length = std::get_if<ByLength>(&meaning.body);
  if (rules.body_bytes != 0 && length != nullptr && length->remaining > rules.body_bytes) {
    return answer(state, context, 413, head_only);
  }
  Request request{
      .body = meaning.body,
      .head_only = head_only,
      .idempotent = meaning.idempotent,
      .http10 = head.minor_version == 0,
      .asked_close = !meaning.keep_alive,
      .keep_alive = meaning.keep_alive && !context.closing &&
                    (rules.requests_per_connection == 0 || http1.requests < rules.requests_per_connection),
      .expects_continue = meaning.expects_continue,
      .wants_websocket = meaning.upgrade_websocket,
  };
  http1.phase = Connecting{.request = request, .head_bytes = static_cast<std::uint32_t>(head_bytes)};
  return Ask::connect;
}

// Only as far as a head may reach: what came with it must not change how it is judged. (`scanned` may be beyond that
// where a configuration with a larger limit began.)
HeadEnd find_head_within(const Buffer& unread, const Rules& rules, std::uint32_t& scanned) {
  const std::string_view raw = unread.view().substr(0, rules.head_bytes);
  scanned = std::min(scanned, static_cast<std::uint32_t>(raw.size()));
  return find_head_end(raw, scanned);
}

Ask await_request(ConnectionState& state, AwaitingRequest& phase, const Context& context) {
  Buffer& unread = state.client.unread;
  if (phase.scanned == 0) {
    // Empty lines before a request are skipped (RFC 9112 §2.2).
    while (unread.view().starts_with("\r\n")) unread.consume(2);
    if (!unread.empty()) phase.since_ms = context.now_ms;
    if (unread.view() == "\r") return state.client.read_ended ? Ask::close : Ask::wait;
  }
  if (unread.empty()) return state.client.read_ended ? Ask::close : Ask::wait;

  const HeadEnd end = find_head_within(unread, context.rules, phase.scanned);
  phase.scanned = std::max(phase.scanned, 1u);       // a head has begun
  if (end.found == HeadEnd::Found::malformed) {
    note_access(http1_of(state), context, nullptr, unread.view());
    return answer(state, context, 400, false);
  }
  if (end.found == HeadEnd::Found::yes) return begin_exchange(state, context, end.bytes);
  if (unread.size() >= context.rules.head_bytes) {
    note_access(http1_of(state), context, nullptr, unread.view());
    const bool in_request_line = unread.view().substr(0, context.rules.head_bytes).find('\n') == std::string_view::npos;
    return answer(state, context, in_request_line ? 414 : 431, false);
  }
  return state.client.read_ended ? Ask::close : Ask::wait;
}

// ── The request on its way to the upstream ────────────────────────────────────────────────────────────────────────

Ask relay(ConnectionState& state, const Context& context);

Ask connected(ConnectionState& state, const Context& context) {
  Http1& http1 = http1_of(state);
  const Connecting connecting = std::get<Connecting>(http1.phase);
  if (const HeadError error = read_request_head(state, connecting.head_bytes, context)) {
    // It was good once: this version, or this configuration, is stricter than the one that accepted it.
    return answer(state, context, error.status, connecting.request.head_only);
  }
  Buffer& out = state.upstream->unsent;
  write_request_head(context.scratch.request, context.scratch.meaning, {context.client_address, context.proto}, out);
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

// No further attempt is possible, or needed.
void let_go_of_held(ConnectionState& state, Relaying& relaying) {
  if (relaying.held == 0) return;
  state.client.unread.consume(relaying.held);
  relaying.held = 0;
}

// Hands `bytes` of the body on. What is held for another attempt stays, as long as it fits.
void pass_body(ConnectionState& state, Relaying& relaying, std::size_t bytes, const Context& context) {
  Leg& upstream = *state.upstream;
  if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
  if (relaying.held != 0 && relaying.held + bytes > context.rules.buffer_bytes) let_go_of_held(state, relaying);
  if (relaying.held == 0) {
    state.client.unread.move_to(upstream.unsent, bytes);
  } else {
    upstream.unsent.append(state.client.unread.view().substr(relaying.held, bytes));
    relaying.held += static_cast<std::uint32_t>(bytes);
  }
}

enum class Upload { going_on, ended, too_large, malformed };

Upload trailers_of_request(ConnectionState& state, Relaying& relaying, const Context& context) {
  const std::string_view input = state.client.unread.view().substr(relaying.held, context.rules.head_bytes);
  const std::size_t bytes = find_trailers_end(input);
  if (bytes == std::string_view::npos) return Upload::malformed;
  if (bytes == 0) return input.size() >= context.rules.head_bytes ? Upload::malformed : Upload::going_on;
  if (parse_trailers(input.substr(0, bytes), {0, context.rules.fields}, context.scratch.trailers)) {
    return Upload::malformed;
  }
  if (!relaying.upload_abandoned) {
    Leg& upstream = *state.upstream;
    if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
    write_trailers(context.scratch.trailers, upstream.unsent);
  }
  if (relaying.held == 0) {
    state.client.unread.consume(bytes);
  } else {
    relaying.held += static_cast<std::uint32_t>(bytes);
  }
  relaying.request.body = NoBody{};
  return Upload::ended;
}

Upload relay_upload(ConnectionState& state, Relaying& relaying, const Context& context) {
  Request& request = relaying.request;
  const std::uint64_t buffer_bytes = context.rules.buffer_bytes;
  while (!has_ended(request.body)) {
    std::string_view input = state.client.unread.view().substr(relaying.held);
    if (input.empty()) return Upload::going_on;
    if (!relaying.upload_abandoned) {
      const std::size_t waiting = state.upstream->unsent.size();
      if (waiting >= buffer_bytes) return Upload::going_on;
      // Into an empty buffer all of it goes without a copy.
      if (waiting != 0) input = input.substr(0, buffer_bytes - waiting);
    }
    request.expects_continue = false;
    const BodyPiece piece = consume_body(request.body, input);
    if (piece.payload) request.body_bytes += piece.bytes;
    if (context.rules.body_bytes != 0 && request.body_bytes > context.rules.body_bytes) return Upload::too_large;
    if (piece.status == BodyStatus::malformed) return Upload::malformed;
    if (relaying.upload_abandoned) {
      let_go_of_held(state, relaying);
      state.client.unread.consume(piece.bytes);
    } else if (piece.bytes != 0) {
      pass_body(state, relaying, piece.bytes, context);
    }
    if (piece.status == BodyStatus::trailers) return trailers_of_request(state, relaying, context);
  }
  return Upload::ended;
}

// ── The response on its way to the client ─────────────────────────────────────────────────────────────────────────

Ask become_tunnel(ConnectionState& state) {
  Tunnel tunnel{.upstream = state.upstream->upstream, .access = std::move(http1_of(state).access)};
  state.protocol = std::move(tunnel);
  return Ask::wait;
}

// Reads heads until the final one has been passed on; `wait`: more must come first.
Ask relay_response_head(ConnectionState& state, const Context& context) {
  Http1& http1 = http1_of(state);
  Leg& client = state.client;
  for (;;) {
    Relaying& relaying = std::get<Relaying>(http1.phase);
    ResponseAwaited& awaited = std::get<ResponseAwaited>(relaying.response);
    Request& request = relaying.request;
    Buffer& unread = state.upstream->unread;
    if (unread.empty()) {
      return state.upstream->read_ended ? upstream_lost(state, Loss::reset, context) : Ask::wait;
    }
    let_go_of_held(state, relaying);
    const HeadEnd end = find_head_within(unread, context.rules, awaited.scanned);
    if (end.found == HeadEnd::Found::no && unread.size() < context.rules.head_bytes && !state.upstream->read_ended) {
      return Ask::wait;
    }
    if (end.found != HeadEnd::Found::yes) return answer(state, context, 502, request.head_only);

    ResponseHead& head = context.scratch.response;
    if (parse_response_head(unread.view().substr(0, end.bytes), {0, context.rules.fields}, head)) {
      return answer(state, context, 502, request.head_only);
    }
    if (client.unsent.empty()) client.write_at_ms = context.now_ms;
    if (head.status == 101) {
      if (!request.wants_websocket) return answer(state, context, 502, request.head_only);
      write_response_head(head, {.switching_protocols = true}, client.unsent);
      unread.consume(end.bytes);
      http1.access.status = 101;
      return become_tunnel(state);
    }
    if (head.status < 200) {
      if (++awaited.interim > interim_max) return answer(state, context, 502, request.head_only);
      if (!request.http10) write_response_head(head, {}, client.unsent);
      request.expects_continue = false;
      unread.consume(end.bytes);
      awaited.scanned = 0;
      continue;
    }
    const ResponseMeaning meaning = response_meaning(head, request.head_only ? Method::head : Method::other);
    if (meaning.error) return answer(state, context, 502, request.head_only);
    const bool dechunk = request.http10 && std::holds_alternative<ByChunks>(meaning.body);
    // What still comes of the request's body after a final response could not be told from a next request.
    if (!has_ended(request.body) || dechunk || context.closing || std::holds_alternative<UntilClose>(meaning.body)) {
      request.keep_alive = false;
    }
    write_response_head(head, {.client_http10 = request.http10, .close = !request.keep_alive,
                               .announce_keep_alive = request.http10 && request.keep_alive}, client.unsent);
    http1.access.status = head.status;
    unread.consume(end.bytes);
    relaying.response = ResponseRelayed{meaning.body, dechunk, meaning.keep_alive};
    return Ask::wait;
  }
}

enum class Download { going_on, ended, broken };

Download trailers_of_response(ConnectionState& state, ResponseRelayed& response, const Context& context) {
  Buffer& unread = state.upstream->unread;
  const std::size_t bytes = find_trailers_end(unread.view().substr(0, context.rules.head_bytes));
  if (bytes == 0 && unread.size() < context.rules.head_bytes && !state.upstream->read_ended) return Download::going_on;
  if (bytes == 0 || bytes == std::string_view::npos) return Download::broken;
  auto& trailers = context.scratch.trailers;
  if (parse_trailers(unread.view().substr(0, bytes), {0, context.rules.fields}, trailers)) return Download::broken;
  if (!response.dechunk) write_trailers(trailers, state.client.unsent);
  unread.consume(bytes);
  response.body = NoBody{};
  return Download::ended;
}

Download relay_download(ConnectionState& state, ResponseRelayed& response, const Context& context) {
  Leg& client = state.client;
  while (!has_ended(response.body)) {
    Leg& upstream = *state.upstream;
    if (upstream.unread.empty()) {
      if (!upstream.read_ended) return Download::going_on;
      if (!std::holds_alternative<UntilClose>(response.body)) return Download::broken;
      response.body = NoBody{};
      return Download::ended;
    }
    std::string_view input = upstream.unread.view();
    const std::size_t waiting = client.unsent.size();
    if (waiting >= context.rules.buffer_bytes) return Download::going_on;
    if (waiting != 0) input = input.substr(0, context.rules.buffer_bytes - waiting);
    if (waiting == 0) client.write_at_ms = context.now_ms;
    const BodyPiece piece = consume_body(response.body, input);
    if (piece.status == BodyStatus::malformed) return Download::broken;
    if (piece.payload) http1_of(state).access.response_bytes += piece.bytes;
    if (response.dechunk && !piece.payload) {
      upstream.unread.consume(piece.bytes);
    } else if (piece.bytes != 0) {
      upstream.unread.move_to(client.unsent, piece.bytes);
    }
    if (piece.status == BodyStatus::trailers) return trailers_of_response(state, response, context);
  }
  return Download::ended;
}

// ── The end of an exchange ────────────────────────────────────────────────────────────────────────────────────────

Ask end_exchange(ConnectionState& state, const Context& context) {
  Http1& http1 = http1_of(state);
  Relaying& relaying = std::get<Relaying>(http1.phase);
  const auto& response = std::get<ResponseRelayed>(relaying.response);
  if (state.upstream) {
    const UpstreamLeg& upstream = *state.upstream;
    const bool reusable = response.upstream_keep_alive && has_ended(relaying.request.body) &&
                          !relaying.upload_abandoned && !upstream.read_ended && !upstream.write_ended &&
                          upstream.unread.empty() && upstream.unsent.empty();
    if (reusable) return Ask::park;
    state.upstream.reset();
  }
  if (!state.client.unsent.empty()) {
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
    return answer(state, context, upload == Upload::too_large ? 413 : 400, relaying.request.head_only);
  }
  const bool cut_short = upload == Upload::going_on && !has_ended(relaying.request.body) && state.client.read_ended &&
                         (!state.upstream || state.upstream->unsent.empty());
  if (awaited) {
    if (cut_short) return answer(state, context, 400, relaying.request.head_only);
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
      return Ask::reset;
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
  }
  return Ask::wait;
}

// The upload's turn: bytes of the body are to come and there is room for them.
bool awaits_body(const ConnectionState& state, const Relaying& relaying) {
  return !has_ended(relaying.request.body) && !state.client.read_ended &&
         (relaying.upload_abandoned || (state.upstream && state.upstream->unsent.empty()));
}

std::int64_t relaying_deadline(const ConnectionState& state, const Relaying& relaying, const Rules& rules) {
  std::int64_t deadline = never;
  if (!state.client.unsent.empty()) deadline = std::min(deadline, state.client.write_at_ms + rules.send_ms);
  const bool body_awaited = awaits_body(state, relaying);
  const bool continue_awaited = relaying.request.expects_continue;
  if (body_awaited && !continue_awaited) {
    std::int64_t since = std::max(state.client.read_at_ms, state.client.write_at_ms);
    if (state.upstream) since = std::max(since, state.upstream->write_at_ms);     // then it became the client's turn
    deadline = std::min(deadline, since + rules.body_ms);
  }
  const auto* relayed = std::get_if<ResponseRelayed>(&relaying.response);
  const bool response_ended = relayed != nullptr && has_ended(relayed->body);
  const bool client_is_slow = state.client.unsent.size() >= rules.buffer_bytes;
  if (state.upstream && !response_ended && !client_is_slow && (!body_awaited || continue_awaited)) {
    const std::int64_t since = std::max(state.upstream->read_at_ms, state.upstream->write_at_ms);
    deadline = std::min(deadline, since + rules.response_ms);
  }
  return deadline;
}

Ask retry_or_answer(ConnectionState& state, std::uint16_t status, const Context& context) {
  Http1& http1 = http1_of(state);
  if (auto* connecting = std::get_if<Connecting>(&http1.phase)) {
    if (connecting->attempts < attempts_max) ++connecting->attempts;
    if (connecting->attempts < std::min(context.servers, attempts_max)) return Ask::connect;
    return answer(state, context, status, connecting->request.head_only);
  }
  const Relaying relaying = std::get<Relaying>(http1.phase);
  const bool stale = state.upstream && state.upstream->reused;
  const unsigned attempts = relaying.attempts + (stale ? 0u : 1u);
  const bool again = relaying.held != 0 && state.upstream->unread.empty() && (stale || attempts < context.servers);
  if (!again) return answer(state, context, status, relaying.request.head_only);
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
    if (!state.client.unsent.empty()) return Ask::wait;
    http1.phase = Lingering{context.now_ms};
    return Ask::exchange_ended;
  }
  state.client.unread.clear();
  if (!state.client.write_ended) return Ask::end_client_writing;
  return state.client.read_ended ? Ask::close : Ask::wait;
}

Ask upstream_lost(ConnectionState& state, Loss loss, const Context& context) {
  auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) {
    Tunnel& tunnel = std::get<Tunnel>(state.protocol);
    if (state.upstream || loss == Loss::unreachable) return Ask::reset;
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
  return Ask::reset;
}

void upstream_write_failed(ConnectionState& state) {
  state.upstream->unsent.clear();
  state.upstream->write_ended = true;
  if (auto* http1 = std::get_if<Http1>(&state.protocol)) {
    if (auto* relaying = std::get_if<Relaying>(&http1->phase)) relaying->upload_abandoned = true;
  }
}

Ask expire(ConnectionState& state, const Context& context) {
  auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return Ask::close;
  if (std::holds_alternative<AwaitingRequest>(http1->phase)) {
    if (state.client.unread.empty()) return Ask::close;
    note_access(*http1, context, nullptr, state.client.unread.view());
    return answer(state, context, 408, false);
  }
  if (std::holds_alternative<Lingering>(http1->phase)) return Ask::close;
  const auto* relaying = std::get_if<Relaying>(&http1->phase);
  if (relaying == nullptr) return Ask::reset;
  if (!std::holds_alternative<ResponseAwaited>(relaying->response)) return Ask::reset;
  const bool client_is_late = awaits_body(state, *relaying) && !relaying->request.expects_continue;
  return answer(state, context, client_is_late ? 408 : 504, relaying->request.head_only);
}

std::int64_t deadline_ms(const ConnectionState& state, const Rules& rules) {
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return state.upstream ? tunnel::last_progress_ms(state) + rules.tunnel_idle_ms : never;
  if (const auto* awaiting = std::get_if<AwaitingRequest>(&http1->phase)) {
    return awaiting->since_ms + (state.client.unread.empty() ? rules.idle_ms : rules.head_ms);
  }
  if (const auto* relaying = std::get_if<Relaying>(&http1->phase)) return relaying_deadline(state, *relaying, rules);
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

bool is_idle(const ConnectionState& state) { return at_boundary(state) && state.client.unread.empty(); }

}  // namespace baton::http1
