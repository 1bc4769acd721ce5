// The request: its head until it is complete and valid, then its body on its way to the upstream.
#include <algorithm>
#include <array>
#include <charconv>

#include "proxy/http1/body.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/http1/phases.hpp"
#include "proxy/http1/placeholders.hpp"
#include "proxy/state/captured.hpp"

namespace baton::http1 {

using namespace state;

HeadError read_request_head(const Exchange& exchange, const Buffer& unread, std::size_t bytes, const HeadLimits& limits,
                            Scratch& scratch) {
  scratch.parsed_for = nullptr;
  scratch.marks.is_identified = false;
  scratch.request.method = Method::other;      // whatever was parsed before
  const HeadError error = parse_first_request_head(unread.view().substr(0, bytes), limits, scratch.request);
  if (error) return error;
  read_meaning(scratch.request, scratch.last_good_host, scratch.meaning);
  if (scratch.meaning.error) return scratch.meaning.error;
  scratch.parsed_for = &exchange;
  scratch.parsed_at = unread.data();
  return {};
}

namespace {

std::string captured(const std::vector<config::Template::Part>& parts, const Exchange& exchange,
                     const Context& context) {
  const Placeholders placeholders(exchange, context);
  std::string lines, value;
  for (const config::Template::Part& part : parts) {
    value.clear();
    placeholders.append(part, value);
    append_captured(lines, config::Template::name_of(part), value);
  }
  return lines;
}

}  // namespace

void note_access(Exchange& exchange, const Rules& rules, bool has_head, const Flow& client, const Context& context) {
  if (!rules.keep_access) return exchange.access.reset();
  if (exchange.access) return;  // from an earlier attempt
  const std::string_view text = client.unread.view();
  const std::string_view line = text.substr(0, text.find_first_of("\r\n")).substr(0, 8192);
  if (line.empty()) return;
  AccessRecord& access = exchange.access.emplace();
  access.request_line = line;
  constexpr std::string_view version = "HTTP/1.1";
  if (client.stream && line.ends_with(version)) {
    access.request_line = std::string(line.substr(0, line.size() - version.size())) + "HTTP/2.0";
  }
  if (!has_head) return;
  for (const Field& field : context.scratch.request.fields) {
    if (field.id == FieldName::referer) access.referer = field.value;
    if (field.id == FieldName::user_agent) access.user_agent = field.value;
  }
  if (rules.captured) [[unlikely]]
    access.fields = captured(*rules.captured, exchange, context);
}

namespace {

constexpr HeadError bare_lf{400, "a line of the head does not end in CR LF"};

// Begins an exchange for the request whose first byte came then.
[[gnu::always_inline]] inline Exchange& begin_at(ClientSide& side, std::int64_t since_ms, const Context& context) {
  context.scratch.parsed_for = nullptr;
  Exchange& exchange = side.exchange.emplace();
  exchange.started_ms = since_ms;
  exchange.started_unix_us = context.unix_us - (context.now_ms - since_ms) * 1000;
  return exchange;
}

// The same for the phase's time; resets the connection's phase.
Exchange& begin(ConnectionState& state, const Context& context) {
  AwaitingRequest& awaiting = std::get<AwaitingRequest>(std::get<Http1>(state.protocol).phase);
  const std::int64_t since_ms = awaiting.since_ms;
  awaiting = {};
  return begin_at(state, since_ms, context);
}

// Refuses a head that will never be complete, whatever part of it has come.
Action refuse(ConnectionState& state, const Context& context, std::uint16_t status, std::string_view why,
              Ending ending = Ending::done) {
  Exchange& exchange = begin(state, context);
  note_access(exchange, *context.rules, false, state.client, context);
  return answer_and_close(exchange, {state.client}, context, status, why, ending);
}

// Reads the head of the exchange that has begun. `bytes`: of the head, or of more that ends with an empty line.
// `is_last`: the connection serves no further request.
[[gnu::always_inline]] inline Action take_head(Exchange& exchange, Flow& client, const Context& context,
                                               std::size_t bytes, bool is_last) {
  const Rules& rules = *context.rules;
  Scratch& scratch = context.scratch;
  HeadError error = read_request_head(exchange, client.unread, bytes, {rules.uri_bytes, rules.fields}, scratch);
  const RequestHead& head = scratch.request;
  Request& request = exchange.request;
  request.head_only = head.method == Method::head;
  if (error) {
    std::uint32_t scanned = 0;
    if (find_head_within(client.unread, rules, scanned).found == HeadEnd::Found::malformed) error = bare_lf;
    note_access(exchange, rules, false, client, context);
    return answer_and_close(exchange, {client}, context, error.status, error.text);
  }

  const RequestMeaning& meaning = scratch.meaning;
  if (!rules.underscores) scratch.fields_dropped += meaning.underscored_fields;
  request.body = request_body(client, meaning);
  request.body_bytes_max = rules.body_bytes;
  request.idempotent = meaning.idempotent;
  request.http10 = head.minor_version == 0;
  request.asked_close = !meaning.keep_alive;
  request.keep_alive = meaning.keep_alive && !context.closing && !is_last;
  const bool may_have_content = std::holds_alternative<UntilClose>(request.body);
  request.expects_continue = meaning.expects_continue || (may_have_content && head.names.has(FieldName::expect));
  exchange.phase = Connecting{.head_bytes = static_cast<std::uint32_t>(head.bytes)};
  return advance(exchange, {client}, context);
}

Action begin_exchange(ConnectionState& state, const Context& context, std::size_t bytes) {
  Http1& http1 = std::get<Http1>(state.protocol);
  const std::uint64_t most = context.rules->requests_per_connection;
  const bool is_last = most != 0 && http1.requests + 1 >= most;
  ++http1.requests;
  return take_head(begin(state, context), state.client, context, bytes, is_last);
}

}  // namespace

Action begin_on_stream(ClientSide& side, const Context& context) {
  const Stream& stream = *side.client.stream;
  Exchange& exchange = begin_at(side, context.now_ms, context);
  if (stream.refused_with != 0) {
    return answer_and_close(exchange, {side.client}, context, stream.refused_with,
                            "limits.head_bytes: the head is longer");
  }
  return take_head(exchange, side.client, context, stream.head_bytes, false);
}

Action await_request(ConnectionState& state, const Context& context) {
  AwaitingRequest& phase = std::get<AwaitingRequest>(std::get<Http1>(state.protocol).phase);
  Buffer& unread = state.client.unread;
  const auto more = [&] { return state.client.read_ended ? Action::close : Action::wait; };
  if (phase.scanned == 0) {
    // Empty lines before a request are skipped (RFC 9112 §2.2).
    while (unread.view().starts_with("\r\n")) unread.consume(2);
    if (!unread.empty()) phase.since_ms = context.now_ms;
    if (unread.view() == "\r") return more();
  }
  if (unread.empty()) return more();

  // Nearly always the head is whole, and nothing follows it. Reading it finds its end, so there is no need to search.
  const bool ends_with_a_head = unread.view().ends_with("\r\n\r\n") && unread.size() <= context.rules->head_bytes;
  if (phase.scanned == 0 && ends_with_a_head) return begin_exchange(state, context, unread.size());

  const HeadEnd end = find_head_within(unread, *context.rules, phase.scanned);
  phase.scanned = std::max(phase.scanned, 1u);       // a head has begun
  if (end.found == HeadEnd::Found::malformed) {
    return refuse(state, context, bare_lf.status, bare_lf.text);
  }
  if (end.found == HeadEnd::Found::yes) return begin_exchange(state, context, end.bytes);
  if (unread.size() >= context.rules->head_bytes) {
    const bool in_request_line =
        unread.view().substr(0, context.rules->head_bytes).find('\n') == std::string_view::npos;
    return refuse(state, context, in_request_line ? 414 : 431, "limits.head_bytes: the head is longer");
  }
  return more();
}

Action expire_awaiting(ConnectionState& state, const Context& context) {
  if (state.client.unread.empty()) return Action::close;
  const std::int64_t since_ms = std::get<AwaitingRequest>(std::get<Http1>(state.protocol).phase).since_ms;
  const bool in_all = total_deadline_ms(since_ms, *context.rules) <= context.now_ms;
  if (in_all) return refuse(state, context, 408, took_too_long, Ending::total);
  return refuse(state, context, 408, "timeouts.head: the head is incomplete");
}

// ── The body ──────────────────────────────────────────────────────────────────────────────────────────────────────

void let_go_of_held(Flow& client, Relaying& relaying) {
  if (relaying.held == 0) return;
  client.unread.consume(relaying.held);
  relaying.held = 0;
}

void append_chunk_size(std::size_t bytes, Buffer& out) {
  std::array<char, 18> line;
  char* const end = std::to_chars(line.data(), line.data() + 16, bytes, 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  out.append({line.data(), static_cast<std::size_t>(end + 2 - line.data())});
}

namespace {

// Forwards a piece of the body. Bytes held for another attempt are kept as long as they fit.
void pass_body(const Ends& ends, Relaying& relaying, const BodyPiece& piece, const Context& context) {
  Flow& upstream = *ends.upstream;
  Buffer& unread = ends.client.unread;
  if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
  if (relaying.held != 0 && relaying.held + piece.bytes > context.rules->buffer_bytes)
    let_go_of_held(ends.client, relaying);
  if (relaying.adds_chunks) append_chunk_size(piece.bytes, upstream.unsent);
  const bool goes_on = upstream.stream ? piece.payload : !piece.dropped;
  if (relaying.held != 0) {
    if (goes_on) upstream.unsent.append(unread.view().substr(relaying.held, piece.bytes));
    relaying.held += static_cast<std::uint32_t>(piece.bytes);
  } else if (!goes_on) {
    unread.consume(piece.bytes);
  } else {
    unread.move_to(upstream.unsent, piece.bytes);
  }
  if (relaying.adds_chunks) upstream.unsent.append("\r\n");
}

// The trailer section at the front of `input`; `bytes` is its length once it is whole.
Upload read_trailers(std::string_view input, const Context& context, std::size_t& bytes) {
  input = input.substr(0, context.rules->head_bytes);
  bytes = find_trailers_end(input);
  if (bytes == std::string_view::npos) return Upload::malformed;
  if (bytes == 0) return input.size() >= context.rules->head_bytes ? Upload::malformed : Upload::going_on;
  const HeadLimits limits{0, context.rules->fields};
  if (parse_trailers(input.substr(0, bytes), limits, Sender::client, context.scratch.trailers))
    return Upload::malformed;
  return Upload::ended;
}

// Those in the scratch memory, as the end of the body.
void send_trailers(Flow& upstream, const Context& context) {
  if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
  const routing::Rewrite* const rewrite = context.route != nullptr ? context.route->rewrite.get() : nullptr;
  const std::string_view removed = rewrite != nullptr ? std::string_view(rewrite->request.removed) : "";
  const std::vector<Field>& trailers = context.scratch.trailers;
  if (upstream.stream) return write_trailers_block(trailers, context.rules->underscores, *upstream.stream, removed);
  write_trailers(trailers, context.rules->underscores, upstream.unsent, removed);
}

Upload pass_trailers(Exchange& exchange, const Ends& ends, Relaying& relaying, const Context& context) {
  std::size_t bytes = 0;
  const Upload upload = read_trailers(ends.client.unread.view().substr(relaying.held), context, bytes);
  if (upload != Upload::ended) return upload;
  send_trailers(*ends.upstream, context);
  if (relaying.held == 0) {
    ends.client.unread.consume(bytes);
  } else {
    relaying.held += static_cast<std::uint32_t>(bytes);
  }
  exchange.request.body = NoBody{};
  return Upload::ended;
}

// The content of a stream has ended: the last chunk and the trailers, if it goes on in chunks.
Upload end_content(Exchange& exchange, const Ends& ends, const Relaying& relaying, const Context& context) {
  const Stream& stream = *ends.client.stream;
  std::vector<Field>& trailers = context.scratch.trailers;
  trailers.clear();
  const HeadLimits limits{0, context.rules->fields};
  if (stream.trailers_in && parse_trailers(stream.trailers_in->view(), limits, Sender::client, trailers))
    return Upload::malformed;
  Flow& upstream = *ends.upstream;
  if (relaying.adds_chunks) {
    if (upstream.unsent.empty()) upstream.write_at_ms = context.now_ms;
    upstream.unsent.append("0\r\n");
  }
  if (relaying.adds_chunks || upstream.stream) send_trailers(upstream, context);
  exchange.request.body = NoBody{};
  return Upload::ended;
}

bool has_whole_content(const Request& request, const Flow& client) {
  return client.stream && client.read_ended && !client.was_reset && std::holds_alternative<UntilClose>(request.body);
}

// The next run of the body; `verdict` other than `going_on`: what is wrong with it.
struct Step {
  BodyPiece piece;
  Upload verdict = Upload::going_on;
};
Step take_step(Request& request, std::string_view input) {
  request.expects_continue = false;
  const BodyPiece piece = consume_body(request.body, input, Sender::client);
  if (piece.payload) request.body_bytes += piece.bytes;
  if (request.body_bytes_max != 0 && request.body_bytes > request.body_bytes_max) return {piece, Upload::too_large};
  return {piece, piece.status == BodyStatus::malformed ? Upload::malformed : Upload::going_on};
}

Upload relay_rest(Exchange& exchange, const Ends& ends, const Context& context) {
  Request& request = exchange.request;
  Relaying& relaying = std::get<Relaying>(exchange.phase);
  const std::uint64_t buffer_bytes = context.rules->buffer_bytes;
  if (relaying.upload_abandoned && !has_ended(request.body)) {
    if (relaying.held == ends.client.unread.size()) return Upload::going_on;
    let_go_of_held(ends.client, relaying);
    return discard_upload(request, ends.client, context);
  }
  while (!has_ended(request.body)) {
    std::string_view input = ends.client.unread.view().substr(relaying.held);
    if (input.empty() && has_whole_content(request, ends.client)) return end_content(exchange, ends, relaying, context);
    if (input.empty()) return Upload::going_on;
    const std::size_t waiting = ends.upstream->unsent.size();
    if (waiting >= buffer_bytes) return Upload::going_on;
    // An empty buffer takes all of it without a copy.
    if (waiting != 0) input = input.substr(0, buffer_bytes - waiting);
    const auto [piece, verdict] = take_step(request, input);
    if (verdict != Upload::going_on) return verdict;
    if (piece.bytes != 0) pass_body(ends, relaying, piece, context);
    if (piece.status == BodyStatus::trailers) return pass_trailers(exchange, ends, relaying, context);
  }
  return Upload::ended;
}

}  // namespace

Upload relay_upload(Exchange& exchange, const Ends& ends, const Context& context) {
  const Upload upload = relay_rest(exchange, ends, context);
  const bool is_whole = upload == Upload::ended && ends.upstream != nullptr && ends.upstream->stream;
  if (is_whole && !ends.upstream->stream->takes_connect) ends.upstream->write_ended = true;
  return upload;
}

Upload discard_upload(Request& request, Flow& client, const Context& context) {
  while (!has_ended(request.body)) {
    if (client.unread.empty() && has_whole_content(request, client)) {
      request.body = NoBody{};
      return Upload::ended;
    }
    if (client.unread.empty()) return Upload::going_on;
    const auto [piece, verdict] = take_step(request, client.unread.view());
    if (verdict != Upload::going_on) return verdict;
    client.unread.consume(piece.bytes);
    if (piece.status != BodyStatus::trailers) continue;
    std::size_t bytes = 0;
    const Upload upload = read_trailers(client.unread.view(), context, bytes);
    if (upload != Upload::ended) return upload;
    client.unread.consume(bytes);
    request.body = NoBody{};
  }
  return Upload::ended;
}

}  // namespace baton::http1
