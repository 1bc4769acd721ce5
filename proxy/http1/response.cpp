// The response: heads until the final one, then the body on its way to the client.
#include <algorithm>
#include <tuple>
#include <utility>

#include "proxy/http1/body.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/http1/grammar.hpp"
#include "proxy/http1/phases.hpp"

namespace baton::http1 {

using namespace state;

namespace {

// Interim responses may total this much, plus an allowance that grows with time and with the request's body. So many
// small ones are normal (progress reports), and an endless stream of them costs no more than a slow response body.
constexpr std::uint64_t interim_bytes_free = 256 * 1024;
constexpr std::uint64_t interim_bytes_for_each_ms = 16;

bool is_too_much(const Exchange& exchange, std::int64_t now_ms) {
  const auto& relaying = std::get<Relaying>(exchange.phase);
  const auto elapsed_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms - exchange.started_ms, 0));
  return std::get<ResponseAwaited>(relaying.response).interim_bytes >
         interim_bytes_free + elapsed_ms * interim_bytes_for_each_ms + exchange.request.body_bytes;
}

// A content type whose messages come whenever there is something to send.
bool is_stream(const ResponseHead& head) {
  if (!head.names.has(FieldName::content_type)) return false;
  const std::string_view type = std::ranges::find(head.fields, FieldName::content_type, &Field::id)->value;
  if (begins_with<"application/grpc">(type)) return true;  // also -web, +proto and so on
  constexpr std::size_t events_bytes = 17;
  if (type.size() < events_bytes || !same_token<"text/event-stream">(type.data())) return false;
  return type.size() == events_bytes || type[events_bytes] == ';' || is_blank(type[events_bytes]);
}

// Nearly always the head has come whole, and reading it finds its end. False: it must be looked for.
bool read_whole_head(Buffer& unread, const Rules& rules, ResponseHead& head) {
  const std::string_view raw = unread.view_with("\r\n\r\n");
  return !raw.empty() && !parse_first_response_head(raw, {0, rules.fields}, head) &&
         head.bytes <= std::min<std::uint64_t>(unread.size(), rules.head_bytes);
}

// Those in the scratch memory, as the end of the body.
void send_trailers(const Exchange& exchange, const ResponseRelayed& response, Flow& client, const Context& context) {
  const std::vector<Field>& trailers = context.scratch.trailers;
  const std::string_view removed =
      exchange.response_edits ? exchange.response_edits->removed.view() : std::string_view();
  if (client.stream) {
    write_trailers_block(trailers, true, *client.stream, removed);
  } else if (!response.dechunk) {
    write_trailers(trailers, true, client.unsent, removed);
  }
}

// The content of the server's stream has ended.
Download end_content(const Exchange& exchange, const Ends& ends, ResponseRelayed& response, const Context& context) {
  const Stream& stream = *ends.upstream->stream;
  std::vector<Field>& trailers = context.scratch.trailers;
  trailers.clear();
  const HeadLimits limits{0, context.rules->fields};
  if (stream.trailers_in && parse_trailers(stream.trailers_in->view(), limits, Sender::server, trailers))
    return Download::malformed;
  if (response.adds_chunks) {
    if (ends.client.unsent.empty()) ends.client.write_at_ms = context.now_ms;
    ends.client.unsent.append("0\r\n");
  }
  if (response.adds_chunks || ends.client.stream) send_trailers(exchange, response, ends.client, context);
  response.body = NoBody{};
  return Download::ended;
}

Download trailers_of_response(const Exchange& exchange, const Ends& ends, ResponseRelayed& response,
                              const Context& context) {
  Buffer& unread = ends.upstream->unread;
  const std::size_t bytes = find_trailers_end(unread.view().substr(0, context.rules->head_bytes));
  if (bytes == 0 && unread.size() < context.rules->head_bytes && !ends.upstream->read_ended) return Download::going_on;
  if (bytes == 0 && ends.upstream->read_ended) return Download::truncated;
  if (bytes == 0 || bytes == std::string_view::npos) return Download::malformed;
  auto& trailers = context.scratch.trailers;
  const std::string_view raw = unread.view().substr(0, bytes);
  if (parse_trailers(raw, {0, context.rules->fields}, Sender::server, trailers)) return Download::malformed;
  send_trailers(exchange, response, ends.client, context);
  unread.consume(bytes);
  response.body = NoBody{};
  return Download::ended;
}

// RFC 8441 §5.
bool is_switching(const Flow& upstream, unsigned status) {
  return upstream.stream && upstream.stream->takes_connect && status / 100 == 2;
}

// How the response on a stream is framed, whose head is at the front of what has come of it: content lasts as long as
// the stream. What a client of HTTP/1.1 needs besides, to know where it ends: chunks, or a length of 0.
[[gnu::noinline]] std::pair<bool, bool> read_framing(const Request& request, const Ends& ends, const ResponseHead& head,
                                                     std::size_t head_bytes, ResponseMeaning& meaning) {
  const Flow& upstream = *ends.upstream;
  const bool is_all = upstream.read_ended && !upstream.was_reset && upstream.unread.size() == head_bytes &&
                      !upstream.stream->trailers_in;
  const bool never_has_content = lacks_content(request, head.status);
  const bool has_content = !is_all && !never_has_content;
  // Even without content, the end of the stream may come later.
  meaning.body = upstream.read_ended && !has_content ? BodyFraming(NoBody{}) : BodyFraming(UntilClose{});
  const bool lacks_length = !ends.client.stream && !head.names.has(FieldName::content_length);
  return {lacks_length && has_content && !request.http10, lacks_length && is_all && !never_has_content};
}

// `ends`: neither content nor trailers follow.
void send_head(const ResponseHead& head, const ResponseRules& rules, bool ends, Flow& client) {
  if (!client.stream) return write_response_head(head, rules, client.unsent);
  write_response_block(head, rules, ends, *client.stream);
  if (ends) client.write_ended = client.stream->end_sent = true;
}

std::size_t waiting_for(const Flow& client) {
  return client.unsent.size() + (client.stream ? client.stream->heads.size() : 0);
}

// The head in the tables, of so many bytes, says that another protocol follows.
[[gnu::noinline]] Action switch_protocols(Exchange& exchange, const Ends& ends, const Context& context,
                                          std::size_t bytes) {
  Flow& client = ends.client;
  Flow& upstream = *ends.upstream;
  ResponseHead& head = context.scratch.response;
  if (!exchange.request.wants_upgrade) return answer(exchange, ends, context, 502, "a 101 that was not requested");
  // What still comes of it could not be told from the other protocol.
  if (!has_ended(exchange.request.body)) {
    return answer(exchange, ends, context, 502, "a 101 before the end of the request");
  }
  const ResponseRules rules{.switching_protocols = true, .changes = response_changes(exchange, context)};
  if (upstream.stream && !client.stream) {
    write_switching_head(exchange, head, rules, client.unsent);
  } else {
    if (client.stream) head.status = 200;  // RFC 8441 §5
    send_head(head, rules, false, client);
  }
  exchange.response_edits.reset();  // a tunnel has no trailers
  upstream.unread.consume(bytes);
  exchange.status = 101;
  if (exchange.access) exchange.access->answered_ms = context.now_ms;
  exchange.request = {};  // no longer needed
  exchange.phase = Tunnelling{.upstream = exchange.upstream ? exchange.upstream->upstream : String()};
  return Action::wait;
}

// False: there are too many.
[[gnu::noinline]] bool pass_interim(Exchange& exchange, const Ends& ends, const Context& context, std::size_t bytes) {
  auto& awaited = std::get<ResponseAwaited>(std::get<Relaying>(exchange.phase).response);
  awaited.interim_bytes += bytes;
  if (is_too_much(exchange, context.now_ms)) return false;
  if (!exchange.request.http10) send_head(context.scratch.response, {}, false, ends.client);
  exchange.request.expects_continue = false;
  ends.upstream->unread.consume(bytes);
  awaited.scanned = 0;
  return true;
}

}  // namespace

bool can_begin_a_response(std::string_view bytes) {
  constexpr std::string_view begin = "HTTP/1.";
  return begin.starts_with(bytes.substr(0, begin.size()));
}

Action relay_response_head(Exchange& exchange, const Ends& ends, const Context& context) {
  Flow& client = ends.client;
  Flow& upstream = *ends.upstream;
  Request& request = exchange.request;
  for (;;) {
    Relaying& relaying = std::get<Relaying>(exchange.phase);
    ResponseAwaited& awaited = std::get<ResponseAwaited>(relaying.response);
    Buffer& unread = upstream.unread;
    if (unread.empty()) {
      return upstream.read_ended ? upstream_lost(exchange, ends, Loss::reset, context) : Action::wait;
    }
    if (!can_begin_a_response(unread.view())) {
      if (exchange.upstream && exchange.upstream->reused) return upstream_lost(exchange, ends, Loss::reset, context);
      return answer(exchange, ends, context, 502, "what the server sent is not an HTTP/1 response");
    }
    // We wait for a client that reads slowly, even if only interim responses come.
    if (waiting_for(client) >= context.rules->buffer_bytes) return Action::wait;
    ResponseHead& head = context.scratch.response;
    const bool is_read = awaited.scanned == 0 && read_whole_head(unread, *context.rules, head);
    const HeadEnd end =
        is_read ? HeadEnd{HeadEnd::Found::yes, head.bytes} : find_head_within(unread, *context.rules, awaited.scanned);
    if (end.found == HeadEnd::Found::no && unread.size() < context.rules->head_bytes && !upstream.read_ended) {
      return Action::wait;
    }
    if (end.found != HeadEnd::Found::yes) {
      return answer(exchange, ends, context, 502, "the server's head is truncated, too long or malformed");
    }

    if (!is_read) {
      const HeadError error = parse_response_head(unread.view().substr(0, end.bytes), {0, context.rules->fields}, head);
      if (error) return answer(exchange, ends, context, 502, error.text);
    }
    if (head.status >= 502 && head.status <= 504 && retries_instead_of(head.status, exchange, context)) {
      context.scratch.answered = {head.status, context.now_ms - upstream.write_at_ms};
      return Action::cut_upstream;
    }
    if (upstream.stream && !client.stream) [[unlikely]] {
      // HTTP/2 has no reason phrases, and some clients miss them.
      const std::string_view phrase = reason_phrase(head.status);
      head.reason = phrase != "Unknown" ? phrase : std::string_view();
      head.start_line = {};
    }
    let_go_of_held(client, relaying);
    if (client.unsent.empty()) client.write_at_ms = context.now_ms;
    const bool switches_stream = request.wants_upgrade && is_switching(upstream, head.status);
    if (head.status == 101 || switches_stream) return switch_protocols(exchange, ends, context, end.bytes);
    if (head.status < 200) {
      if (!pass_interim(exchange, ends, context, end.bytes)) {
        return answer(exchange, ends, context, 502, "too many interim responses");
      }
      continue;
    }
    ResponseMeaning meaning = response_meaning(head, request.head_only ? Method::head : Method::other);
    if (meaning.error) return answer(exchange, ends, context, 502, meaning.error.text);
    // It would mean that the protocol is switched (RFC 8441 §5).
    const bool seems_to_switch = client.stream && client.stream->takes_connect && head.status < 300;
    if (seems_to_switch) return answer(exchange, ends, context, 501, "the server does not switch protocols");
    bool adds_chunks = false;
    bool adds_no_length = false;
    if (upstream.stream) [[unlikely]] {
      std::tie(adds_chunks, adds_no_length) = read_framing(request, ends, head, end.bytes, meaning);
    }
    const BodyFraming& body = meaning.body;
    const bool ends_with_connection =
        std::holds_alternative<UntilClose>(body) && !(upstream.stream && lacks_content(request, head.status)) &&
        (!upstream.stream || (request.http10 && !client.stream && !head.names.has(FieldName::content_length)));
    const bool dechunk = (request.http10 || client.stream) && std::holds_alternative<ByChunks>(body);
    // After a final response, the rest of the request's body could not be told from a next request.
    const bool ends_connection = !has_ended(request.body) || dechunk || context.closing || ends_with_connection;
    if (ends_connection && !client.stream) request.keep_alive = false;
    send_head(head,
              {.client_http10 = request.http10,
               .close = !request.keep_alive,
               .announce_keep_alive = request.http10 && request.keep_alive,
               .adds_chunks = adds_chunks,
               .adds_no_length = adds_no_length,
               .changes = response_changes(exchange, context),
               .unix_time_s = context.unix_us / 1'000'000},
              has_ended(body), client);
    exchange.status = head.status;
    context.scratch.answered = {head.status, context.now_ms - upstream.write_at_ms};
    relaying.response = ResponseRelayed{body, dechunk, meaning.keep_alive, is_stream(head), adds_chunks};
    unread.consume(end.bytes);         // and with it the bytes that `head` views
    return Action::wait;
  }
}

Download relay_download(Exchange& exchange, const Ends& ends, const Context& context) {
  auto& response = std::get<ResponseRelayed>(std::get<Relaying>(exchange.phase).response);
  Flow& client = ends.client;
  while (!has_ended(response.body)) {
    Flow& upstream = *ends.upstream;
    if (upstream.unread.empty()) {
      if (!upstream.read_ended) return Download::going_on;
      const bool is_whole = std::holds_alternative<UntilClose>(response.body) &&
                            (!upstream.is_truncated() || lacks_content(exchange.request, exchange.status));
      if (!is_whole) return Download::truncated;
      if (upstream.stream) return end_content(exchange, ends, response, context);
      response.body = NoBody{};
      return Download::ended;
    }
    std::string_view input = upstream.unread.view();
    const std::size_t waiting = client.unsent.size();
    if (waiting >= context.rules->buffer_bytes) return Download::going_on;
    if (waiting != 0) input = input.substr(0, context.rules->buffer_bytes - waiting);
    if (waiting == 0) client.write_at_ms = context.now_ms;
    const BodyPiece piece = consume_body(response.body, input, Sender::server);
    if (piece.payload) exchange.response_bytes += piece.bytes;
    const bool is_chunk = response.adds_chunks && piece.payload && piece.bytes != 0;
    if (is_chunk) append_chunk_size(piece.bytes, client.unsent);
    if (piece.dropped || (response.dechunk && !piece.payload)) {
      upstream.unread.consume(piece.bytes);
    } else if (piece.bytes != 0) {
      upstream.unread.move_to(client.unsent, piece.bytes);
    }
    if (is_chunk) client.unsent.append("\r\n");
    if (piece.status == BodyStatus::malformed) return Download::malformed;
    if (piece.status == BodyStatus::trailers) return trailers_of_response(exchange, ends, response, context);
  }
  return Download::ended;
}

}  // namespace baton::http1
