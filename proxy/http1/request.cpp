// The request: its head until it is whole and good, then its body on its way to the upstream.
#include <algorithm>

#include "proxy/http1/body.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/http1/phases.hpp"

namespace baton::http1 {

using namespace state;

void note_access(Http1& http1, std::int64_t since_ms, const Context& context, const RequestHead* head,
                 std::string_view first_line) {
  AccessRecord& access = http1.access;
  access.started_ms = since_ms;
  access.started_unix_us = context.unix_us - (context.now_ms - since_ms) * 1000;
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

HeadError read_request_head(const ConnectionState& state, std::size_t head_bytes, const HeadLimits& limits,
                            const Context& context) {
  Scratch& scratch = context.scratch;
  const std::string_view raw = state.client.unread.view().substr(0, head_bytes);
  const std::uint64_t request = std::get<Http1>(state.protocol).requests;
  if (scratch.parsed_at == raw.data() && scratch.parsed_for == state.id && scratch.parsed_request == request) return {};
  scratch.parsed_at = nullptr;
  scratch.request.method = Method::other;      // whatever was parsed before
  const HeadError error = parse_request_head(raw, limits, scratch.request);
  if (error) return error;
  scratch.meaning = request_meaning(scratch.request);
  if (scratch.meaning.error) return scratch.meaning.error;
  scratch.parsed_at = raw.data();
  scratch.parsed_for = state.id;
  scratch.parsed_request = request;
  return {};
}

namespace {

Ask begin_exchange(ConnectionState& state, const Context& context, std::size_t head_bytes) {
  Http1& http1 = http1_of(state);
  const Rules& rules = context.rules;
  ++http1.requests;
  const HeadError error = read_request_head(state, head_bytes, {rules.uri_bytes, rules.fields}, context);
  const RequestHead& head = context.scratch.request;
  const std::int64_t since_ms = std::get<AwaitingRequest>(http1.phase).since_ms;
  note_access(http1, since_ms, context, error ? nullptr : &head, state.client.unread.view());
  if (error) return answer(state, context, error.status, head.method == Method::head, error.text);

  const RequestMeaning& meaning = context.scratch.meaning;
  if (!rules.underscores) context.scratch.fields_dropped += meaning.underscored_fields;
  const bool head_only = head.method == Method::head;
  const auto* length = std::get_if<ByLength>(&meaning.body);
  if (rules.body_bytes != 0 && length != nullptr && length->remaining > rules.body_bytes) {
    return answer(state, context, 413, head_only, body_too_large);
  }
  Request request{
      .body = meaning.body,
      .body_bytes_max = rules.body_bytes,
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

}  // namespace

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
    note_access(http1_of(state), phase.since_ms, context, nullptr, unread.view());
    return answer(state, context, 400, false, "a line of the head does not end in CR LF");
  }
  if (end.found == HeadEnd::Found::yes) return begin_exchange(state, context, end.bytes);
  if (unread.size() >= context.rules.head_bytes) {
    note_access(http1_of(state), phase.since_ms, context, nullptr, unread.view());
    const bool in_request_line = unread.view().substr(0, context.rules.head_bytes).find('\n') == std::string_view::npos;
    return answer(state, context, in_request_line ? 414 : 431, false, "limits.head_bytes: the head is longer");
  }
  return state.client.read_ended ? Ask::close : Ask::wait;
}

// ── The body ──────────────────────────────────────────────────────────────────────────────────────────────────────

void let_go_of_held(ConnectionState& state, Relaying& relaying) {
  if (relaying.held == 0) return;
  state.client.unread.consume(relaying.held);
  relaying.held = 0;
}

namespace {

// Hands a piece of the body on. What is held for another attempt stays, as long as it fits.
void pass_body(ConnectionState& state, Relaying& relaying, const BodyPiece& piece, const Context& context) {
  Leg& upstream = *state.upstream;
  Buffer& unread = state.client.unread;
  if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
  if (relaying.held != 0 && relaying.held + piece.bytes > context.rules.buffer_bytes) let_go_of_held(state, relaying);
  if (relaying.held != 0) {
    if (!piece.dropped) upstream.unsent.append(unread.view().substr(relaying.held, piece.bytes));
    relaying.held += static_cast<std::uint32_t>(piece.bytes);
  } else if (piece.dropped) {
    unread.consume(piece.bytes);
  } else {
    unread.move_to(upstream.unsent, piece.bytes);
  }
}

Upload trailers_of_request(ConnectionState& state, Relaying& relaying, const Context& context) {
  const std::string_view input = state.client.unread.view().substr(relaying.held, context.rules.head_bytes);
  const std::size_t bytes = find_trailers_end(input);
  if (bytes == std::string_view::npos) return Upload::malformed;
  if (bytes == 0) return input.size() >= context.rules.head_bytes ? Upload::malformed : Upload::going_on;
  if (parse_trailers(input.substr(0, bytes), {0, context.rules.fields}, Sender::client, context.scratch.trailers)) {
    return Upload::malformed;
  }
  if (!relaying.upload_abandoned) {
    Leg& upstream = *state.upstream;
    if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
    write_trailers(context.scratch.trailers, context.rules.underscores, upstream.unsent);
  }
  if (relaying.held == 0) {
    state.client.unread.consume(bytes);
  } else {
    relaying.held += static_cast<std::uint32_t>(bytes);
  }
  relaying.request.body = NoBody{};
  return Upload::ended;
}

}  // namespace

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
    const BodyPiece piece = consume_body(request.body, input, Sender::client);
    if (piece.payload) request.body_bytes += piece.bytes;
    if (request.body_bytes_max != 0 && request.body_bytes > request.body_bytes_max) return Upload::too_large;
    if (piece.status == BodyStatus::malformed) return Upload::malformed;
    if (relaying.upload_abandoned) {
      let_go_of_held(state, relaying);
      state.client.unread.consume(piece.bytes);
    } else if (piece.bytes != 0) {
      pass_body(state, relaying, piece, context);
    }
    if (piece.status == BodyStatus::trailers) return trailers_of_request(state, relaying, context);
  }
  return Upload::ended;
}

}  // namespace baton::http1
