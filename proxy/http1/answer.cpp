// Answers of our own, and what they leave of the request: a body that is not wanted is read to its end, so that the
// connection can serve the next request.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/phases.hpp"

namespace baton::http1 {

using namespace state;

namespace {

// A longer rest of a body costs more than a new connection.
constexpr std::uint64_t discarded_bytes_max = 256 * 1024;

// Takes what has been read of the request out of client.unread. False: what follows there is unknown.
bool pass_over_request(Exchange& exchange, const Ends& ends, Scratch& scratch) {
  Request& request = exchange.request;
  if (const auto* connecting = std::get_if<Connecting>(&exchange.phase)) {
    // A lost attempt may have read on in the body.
    if (reread_request_head(exchange, ends.client.unread, connecting->head_bytes, scratch)) return false;
    request.body = request_body(ends.client, scratch.meaning);
    request.body_bytes = 0;
    scratch.parsed_for = nullptr;
    ends.client.unread.consume(connecting->head_bytes);
  } else {
    let_go_of_held(ends.client, std::get<Relaying>(exchange.phase));
  }
  return true;
}

// Whether the rest of the body may be read. A client that waits for 100 may send it after our answer or not (RFC 9110
// §10.1.1), so what follows could be either the body or the next request.
bool is_worth_reading(Request& request) {
  if (has_ended(request.body)) return true;
  if (request.expects_continue) return false;
  const std::uint64_t most = request.body_bytes + discarded_bytes_max;
  request.body_bytes_max = request.body_bytes_max == 0 ? most : std::min(request.body_bytes_max, most);
  const auto* length = std::get_if<ByLength>(&request.body);
  return length == nullptr || length->remaining <= request.body_bytes_max - request.body_bytes;
}

// What follows in client.unread is not known to be a request, and the client may not expect the end.
void close_after(Request& request) {
  request.keep_alive = request.asked_close = false;
}

// Writes it to a stream of HTTP/2, as its head and its content. Returns the bytes of content.
std::size_t write_to_stream(const OwnResponse& response, Flow& client, Scratch& scratch, std::size_t body_bytes_max) {
  Buffer text;
  const std::size_t bytes = write_own_response(response, text, body_bytes_max);
  std::uint32_t scanned = 0;
  const HeadEnd end = find_head_end(text.view(), scanned);
  parse_response_head(text.view().substr(0, end.bytes), {}, scratch.response);
  client.write_ended = bytes == 0;
  client.stream->end_sent = client.write_ended;
  write_response_block(scratch.response, {}, client.write_ended, *client.stream);
  text.consume(end.bytes);
  text.move_to(client.unsent, text.size());
  return bytes;
}

// "502 Bad Gateway: upstream app" and a line feed, for a failure that is the upstream's. It names no address.
class UpstreamLine {
 public:
  UpstreamLine(const Exchange& exchange, const Context& context, std::uint16_t status) {
    if (status < 502 || status > 504 || context.routes == nullptr) return;
    const routing::Route* const route = context.routes->named(exchange.route);
    if (route == nullptr) return;
    const std::string_view upstream =
        route->split.empty() ? std::string_view(route->upstream) : exchange.split_to.view();
    char* to = std::to_chars(text_.data(), text_.data() + 5, status).ptr;
    for (const std::string_view part : {std::string_view(" "), reason_phrase(status), std::string_view(": upstream "),
                                        upstream.substr(0, name_bytes_max), std::string_view("\n")}) {
      to = std::copy(part.begin(), part.end(), to);
    }
    size_ = static_cast<std::size_t>(to - text_.data());
  }
  // Nothing: the status says it all.
  std::optional<std::string_view> text() const {
    return size_ != 0 ? std::optional(std::string_view(text_.data(), size_)) : std::nullopt;
  }

 private:
  static constexpr std::size_t name_bytes_max = 64;  // names are not longer
  std::array<char, 128> text_;
  std::size_t size_ = 0;
};

// `answer`: nullptr for one that only has a status.
void begin_answer(Exchange& exchange, const Ends& ends, const Context& context, std::uint16_t status,
                  const routing::Answer* answer = nullptr) {
  Flow& client = ends.client;
  if (client.unsent.empty()) client.write_at_ms = context.now_ms;
  if (exchange.started_ms == 0) {
    exchange.started_ms = context.now_ms;
    exchange.started_unix_us = context.unix_us;
  }
  Request& request = exchange.request;
  // What is left of a stream is not read: the others of its connection do not depend on it.
  request.keep_alive =
      client.stream ? has_ended(request.body) : request.keep_alive && !context.closing && is_worth_reading(request);
  note_request_id(exchange, context, nullptr);
  OwnResponse response{.status = status,
                       .close = !request.keep_alive && !client.stream,
                       .announce_keep_alive = request.keep_alive && request.http10,
                       .head_only = request.head_only,
                       .unix_time_s = context.unix_us / 1'000'000,
                       .more = id_field(exchange, context)};
  response.is_configured = answer != nullptr;
  if (answer != nullptr) {
    response.fields = answer->fields;
    response.content_type = answer->content_type;
  }
  const bool has_body = answer != nullptr && answer->body;
  const routing::Answer* const page =
      has_body || context.routes == nullptr ? answer : context.routes->error_page(status);
  if (page != nullptr && page->body) {
    response.body = *page->body;
    response.content_type = page->content_type;
  }
  if (status == 205) response.body = "";  // RFC 9110 §15.3.6
  const UpstreamLine upstream_line(exchange, context, status);
  if (answer == nullptr && !response.body) response.body = upstream_line.text();
  exchange.response_bytes = client.stream
                                ? write_to_stream(response, client, context.scratch, context.rules->buffer_bytes)
                                : write_own_response(response, client.unsent, context.rules->buffer_bytes);
  exchange.status = status;
  Answering& answering = exchange.phase.emplace<Answering>();
  const bool sends_body = !request.head_only && !has_no_content(status) && response.body;
  if (!sends_body || exchange.response_bytes == response.body->size()) return;
  answering.body = page->body;
  answering.taken = static_cast<std::uint32_t>(exchange.response_bytes);
}

// What a status of our own says unless there is more to say.
Ending ending_by(std::uint16_t status) {
  switch (status) {
    case 403:
      return Ending::denied;
    case 404:
    case 421:
      return Ending::no_route;
    case 408:
      return Ending::client_slow;
    case 413:
    case 414:
    case 431:
      return Ending::too_large;
    case 502:
      return Ending::bad_response;
    case 503:
      return Ending::no_server;
    case 504:
      return Ending::server_slow;
    default:
      return Ending::bad_request;
  }
}

void send_on(Exchange& exchange, Answering& answering, Flow& client, const Context& context) {
  const std::string_view piece = answering.rest().substr(0, context.rules->buffer_bytes);
  if (piece.empty() || !client.unsent.empty()) return;
  client.write_at_ms = context.now_ms;
  client.unsent.append(piece);
  answering.taken += static_cast<std::uint32_t>(piece.size());
  exchange.response_bytes += piece.size();
}

}  // namespace

Action answer(Exchange& exchange, const Ends& ends, const Context& context, std::uint16_t status, std::string_view why,
              Ending ending) {
  context.scratch.refusal = {status, why};
  note_ending(exchange, ending != Ending::done ? ending : ending_by(status));
  if (!pass_over_request(exchange, ends, context.scratch)) close_after(exchange.request);
  begin_answer(exchange, ends, context, status);
  return ends.upstream != nullptr ? Action::cut_upstream : Action::wait;
}

Action answer_and_close(Exchange& exchange, const Ends& ends, const Context& context, std::uint16_t status,
                        std::string_view why, Ending ending) {
  context.scratch.refusal = {status, why};
  note_ending(exchange, ending != Ending::done ? ending : ending_by(status));
  close_after(exchange.request);
  begin_answer(exchange, ends, context, status);
  return ends.upstream != nullptr ? Action::cut_upstream : Action::wait;
}

Action answer_with(Exchange& exchange, const Ends& ends, const Context& context, const routing::Answer& answer,
                   Ending ending) {
  note_ending(exchange, ending);
  if (!pass_over_request(exchange, ends, context.scratch)) close_after(exchange.request);
  begin_answer(exchange, ends, context, answer.status, &answer);
  return ends.upstream != nullptr ? Action::cut_upstream : Action::wait;
}

namespace {

// The value of the only field; nothing: there is none, or several.
std::optional<std::string_view> authorization_of(const RequestHead& head) {
  std::optional<std::string_view> value;
  for (const Field& field : head.fields) {
    if (field.id != FieldName::authorization) continue;
    if (value) return std::nullopt;
    value = field.value;
  }
  return value;
}

// `connect`: the client has a good password.
Action authenticate(Exchange& exchange, const Ends& ends, const Context& context, const routing::Gate& gate) {
  Scratch& scratch = context.scratch;
  const auto value = authorization_of(scratch.request);
  auto credentials = value ? routing::basic_credentials(*value) : std::nullopt;
  if (!credentials || context.verdict == Verdict::bad)
    return answer_with(exchange, ends, context, gate.challenge, Ending::unauthorized);
  if (context.verdict == Verdict::good || gate.passwords->remembers(*credentials)) {
    if (exchange.access) exchange.access->user = routing::user_of(*credentials);
    return Action::connect;
  }
  if (context.verdict == Verdict::busy) {
    static const routing::Answer later{.status = 503, .fields = "Retry-After: 1\r\n"};
    scratch.refusal = {503, "basic_auth: too many passwords wait to be verified"};
    return answer_with(exchange, ends, context, later, Ending::busy);
  }
  exchange.route.clear();  // not before it is admitted
  scratch.route = nullptr;
  scratch.question = {gate.passwords, *std::move(credentials)};
  return Action::authenticate;
}

}  // namespace

Action pass_gate(Exchange& exchange, const Ends& ends, const Context& context, const routing::Gate& gate) {
  if (!gate.admits(state::client_of(exchange, *context.peer)))
    return answer(exchange, ends, context, 403, "access: not from this address");
  // Before the password: a request that guesses one counts, and costs no verification when there are too many.
  if (const Action action = pass_rates(exchange, ends, context, gate.rates); action != Action::connect) return action;
  return gate.passwords ? authenticate(exchange, ends, context, gate) : Action::connect;
}

Action advance_answer(Exchange& exchange, const Ends& ends, const Context& context) {
  Request& request = exchange.request;
  Flow& client = ends.client;
  Answering& answering = std::get<Answering>(exchange.phase);
  send_on(exchange, answering, client, context);
  if (client.stream && answering.rest().empty()) client.write_ended = true;
  if (request.keep_alive) {
    const Upload upload = discard_upload(request, client, context);
    const bool is_truncated = upload == Upload::going_on && client.read_ended;
    if (is_truncated || upload == Upload::malformed || upload == Upload::too_large) request.keep_alive = false;
  }
  if (!client.all_sent() || (request.keep_alive && !has_ended(request.body))) return Action::wait;
  return after_response(request, client);
}

std::int64_t answer_deadline_ms(const Exchange&, const Flow& client, const Rules& rules) {
  if (!client.all_sent()) return client.write_at_ms + rules.send_ms;
  return std::max(client.read_at_ms, client.write_at_ms) + rules.body_ms;
}

Action after_response(const Request& request, const Flow& client) {
  if (request.keep_alive && has_ended(request.body)) return Action::exchange_ended;
  // A client that did not expect the end may still be sending; it must be able to read our answer.
  const bool expects_end = request.asked_close && has_ended(request.body) && client.unread.empty();
  return expects_end ? Action::close : Action::exchange_ended_early;
}

}  // namespace baton::http1
