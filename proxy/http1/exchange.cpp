#include "proxy/http1/exchange.hpp"

#include <algorithm>
#include <limits>

#include "proxy/http1/forward.hpp"
#include "proxy/http1/phases.hpp"
#include "proxy/http1/rewriting.hpp"
#include "proxy/state/failed_servers.hpp"

namespace baton::http1 {

using namespace state;

HeadEnd find_head_within(const Buffer& unread, const Rules& rules, std::uint32_t& scanned) {
  const std::string_view raw = unread.view().substr(0, rules.head_bytes);
  scanned = std::min(scanned, static_cast<std::uint32_t>(raw.size()));
  return find_head_end(raw, scanned);
}

namespace {

constexpr unsigned attempts_max = 255;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view no_answer = "timeouts.response: the server has not answered";
constexpr unsigned unprocessed_max = 4;  // attempts at a request that servers of HTTP/2 do not process
constexpr std::string_view stream_reset = "the server reset the stream before a response";
constexpr std::string_view server_ended = "the server ended the connection before a response";

Action relay(Exchange& exchange, const Ends& ends, const Context& context);
Action retry_or_answer(Exchange& exchange, const Ends& ends, std::uint16_t status, const Context& context);

// The server, or its connection, says that it has not looked at the request (RFC 9113 §8.7).
bool is_unprocessed(const Flow& upstream) {
  constexpr std::uint32_t refused_stream = 7;
  return upstream.stream && upstream.was_reset &&
         (upstream.stream->id == 0 || upstream.stream->reset_code == refused_stream);
}

void add_chunks(RequestChanges& changes, ForwardedBy& by) {
  if (by.changes == nullptr) changes = {};
  changes.adds_chunks = true;
  by.changes = &changes;
}

// The request in the tables goes on a stream of HTTP/2.
void send_to_stream(Exchange& exchange, const Ends& ends, const ForwardedBy& by, Scratch& scratch) {
  Flow& upstream = *ends.upstream;
  Stream& stream = *upstream.stream;
  const bool switches = !scratch.meaning.upgrade.empty();
  const bool ends_with_head = has_ended(exchange.request.body) && !switches;
  stream.is_head_request = exchange.request.head_only;
  stream.takes_connect = switches;
  exchange.request.is_grpc = has_content_type<"application/grpc">(scratch.request.fields);
  if (switches && !ends.client.stream) note_websocket(exchange, scratch.request);
  write_request_block(scratch.request, scratch.meaning, by, ends_with_head, stream);
  if (ends_with_head) upstream.write_ended = stream.end_sent = true;
}

[[gnu::noinline]] Action connected(Exchange& exchange, const Ends& ends, const Context& context) {
  const Connecting connecting = std::get<Connecting>(exchange.phase);
  Scratch& scratch = context.scratch;
  if (const HeadError error = reread_request_head(exchange, ends.client.unread, connecting.head_bytes, scratch)) {
    // Another version accepted this head; this one is stricter.
    return answer_and_close(exchange, ends, context, error.status, error.text);
  }
  if (!exchange.request.wants_upgrade) scratch.meaning.upgrade = {};
  ForwardedBy by = forwarded_by(exchange, context);
  if (context.route != nullptr && context.route->rewrite && !rewrite(*context.route->rewrite, exchange, context, by)) {
    return answer(exchange, ends, context, 400, "path.replace: the new path would have a dot segment");
  }
  exchange.request.body = request_body(ends.client, scratch.meaning);
  const bool is_to_stream = static_cast<bool>(ends.upstream->stream);
  const bool adds_chunks =
      !is_to_stream && std::holds_alternative<UntilClose>(exchange.request.body) && !ends.client.stream->is_declared;
  if (is_to_stream) {
    send_to_stream(exchange, ends, by, scratch);
  } else {
    if (adds_chunks) add_chunks(scratch.marks.request, by);
    write_request_head(scratch.request, scratch.meaning, by, ends.upstream->unsent);
  }
  ends.upstream->write_at_ms = context.now_ms;
  exchange.request.body_bytes = 0;
  Relaying& relaying = exchange.phase.emplace<Relaying>();
  relaying.adds_chunks = adds_chunks;
  relaying.head_bytes = connecting.head_bytes;
  relaying.attempts = connecting.attempts;
  // What a server of HTTP/2 says it has not processed may go to another, whatever it is (RFC 9113 §8.7).
  if (exchange.request.idempotent || is_to_stream) {
    relaying.held = connecting.head_bytes;
  } else {
    ends.client.unread.consume(connecting.head_bytes);
  }
  return has_ended(exchange.request.body) ? Action::wait : relay(exchange, ends, context);
}

// ── The end of an exchange ────────────────────────────────────────────────────────────────────────────────────────

Action end_exchange(Exchange& exchange, const Ends& ends) {
  Relaying& relaying = std::get<Relaying>(exchange.phase);
  const auto& response = std::get<ResponseRelayed>(relaying.response);
  const Request& request = exchange.request;
  if (ends.upstream != nullptr) {
    const Flow& upstream = *ends.upstream;
    const bool is_whole = has_ended(request.body) && !relaying.upload_abandoned && upstream.all_sent();
    if (upstream.stream) return is_whole && upstream.read_ended ? Action::park : Action::cut_upstream;
    const bool reusable = is_whole && response.upstream_keep_alive && !upstream.read_ended && !upstream.write_ended &&
                          upstream.unread.empty();
    return reusable ? Action::park : is_whole ? Action::close_upstream : Action::cut_upstream;
  }
  if (ends.client.stream) ends.client.write_ended = true;
  if (!ends.client.all_sent()) {
    if (!has_ended(request.body)) relaying.upload_abandoned = true;   // no server is left to take the rest
    return Action::wait;
  }
  return after_response(request, ends.client);
}

// The rest of the response will not come. The client still gets what came before.
Action cut(Exchange& exchange, const Ends& ends, const Context& context, std::string_view why, Ending ending) {
  note_ending(exchange, ending);
  if (!ends.client.all_sent()) return Action::wait;
  context.scratch.refusal = {0, why};
  return Action::reset;
}

Action reset(Exchange& exchange, Ending ending) {
  note_ending(exchange, ending);
  return Action::reset;
}

Action relay(Exchange& exchange, const Ends& ends, const Context& context) {
  Relaying& relaying = std::get<Relaying>(exchange.phase);
  const Request& request = exchange.request;
  const bool awaited = std::holds_alternative<ResponseAwaited>(relaying.response);
  if (ends.upstream != nullptr && ends.upstream->stream) [[unlikely]] {
    if (awaited && is_unprocessed(*ends.upstream)) return retry_or_answer(exchange, ends, 502, context);
    // The server takes no more of it (RFC 9113 §8.1).
    if (ends.upstream->write_ended && !has_ended(request.body)) relaying.upload_abandoned = true;
  }
  Upload upload = Upload::going_on;
  if (ends.upstream != nullptr || relaying.upload_abandoned) upload = relay_upload(exchange, ends, context);
  if (upload == Upload::malformed || upload == Upload::too_large) {
    if (!awaited) return reset(exchange, upload == Upload::too_large ? Ending::too_large : Ending::bad_request);
    if (upload == Upload::too_large) return answer_and_close(exchange, ends, context, 413, body_too_large);
    return answer_and_close(exchange, ends, context, 400, "malformed chunks or trailers");
  }
  const bool cut_short = upload == Upload::going_on && !has_ended(request.body) && ends.client.read_ended &&
                         (ends.upstream == nullptr || ends.upstream->unsent.empty());
  if (awaited) {
    if (cut_short) return answer_and_close(exchange, ends, context, 400, "the body is truncated", Ending::client_gone);
    if (const Action action = relay_response_head(exchange, ends, context); action != Action::wait) return action;
    // Our own answer, a tunnel, or no response yet: nothing to relay.
    const auto* still = std::get_if<Relaying>(&exchange.phase);
    if (still == nullptr || std::holds_alternative<ResponseAwaited>(still->response)) return Action::wait;
  }
  switch (relay_download(exchange, ends, context)) {
    case Download::truncated:
      return cut(exchange, ends, context, "the response is truncated", Ending::server_gone);
    case Download::malformed:
      return cut(exchange, ends, context, "the response has malformed chunks or trailers", Ending::bad_response);
    case Download::going_on:
      return cut_short ? reset(exchange, Ending::client_gone) : Action::wait;
    case Download::ended:
      break;
  }
  return end_exchange(exchange, ends);
}

// It is the upload's turn: more body bytes are expected and there is room for them.
bool awaits_body(const Exchange& exchange, const Relaying& relaying, const Flow& client, const Flow* upstream) {
  return !has_ended(exchange.request.body) && !client.read_ended &&
         (relaying.upload_abandoned || (upstream != nullptr && upstream->all_sent()));
}

std::int64_t relaying_deadline(const Exchange& exchange, const Relaying& relaying, const Flow& client,
                               const Flow* upstream, const Rules& rules) {
  std::int64_t deadline = never;
  const auto* relayed = std::get_if<ResponseRelayed>(&relaying.response);
  const bool may_be_quiet = (relayed != nullptr && relayed->may_be_quiet) || exchange.request.is_grpc;
  if (!client.all_sent()) deadline = std::min(deadline, client.write_at_ms + rules.send_ms);
  const bool body_awaited = awaits_body(exchange, relaying, client, upstream);
  const bool continue_awaited = exchange.request.expects_continue;
  if (body_awaited && !continue_awaited) {
    std::int64_t since = std::max(client.read_at_ms, client.write_at_ms);
    if (upstream != nullptr) since = std::max(since, upstream->write_at_ms);     // then the client's turn
    // A stream of responses comes with a stream of requests.
    deadline = std::min(deadline, since + (may_be_quiet ? rules.tunnel_idle_ms : rules.body_ms));
  }
  const bool response_ended = relayed != nullptr && has_ended(relayed->body);
  const bool client_is_slow = client.unsent.size() >= rules.buffer_bytes;
  if (upstream != nullptr && !response_ended && !client_is_slow && (!body_awaited || continue_awaited)) {
    const std::int64_t since = std::max(upstream->read_at_ms, upstream->write_at_ms);
    deadline = std::min(deadline, since + (may_be_quiet         ? rules.tunnel_idle_ms
                                           : relayed == nullptr ? rules.response_ms
                                                                : rules.response_body_ms));
  }
  return deadline;
}

// After so many attempts, the last of which failed so. Counts it.
bool may_try_again(unsigned attempts, config::RetryOn cause, const Context& context) {
  const auto& rules = context.rules->retries;
  if (!rules) return attempts < context.servers;
  return attempts < rules->attempts && (rules->on & cause) != 0 &&
         (context.retry_budget == nullptr || context.retry_budget->take(context.now_ms, rules->budget));
}

// The request is at the front of client.unread, held. `attempts`: that have failed, if the last one counts with it.
Action try_again(Exchange& exchange, unsigned attempts, bool server_failed) {
  if (server_failed && exchange.upstream) note_failed(exchange, exchange.upstream->server);
  exchange.phase = Connecting{.head_bytes = std::get<Relaying>(exchange.phase).head_bytes,
                              .attempts = static_cast<std::uint8_t>(std::min(attempts, attempts_max)),
                              .fresh = true};
  exchange.route.clear();  // the request is routed again
  return Action::cut_upstream;
}

Action retry_or_answer(Exchange& exchange, const Ends& ends, std::uint16_t status, const Context& context) {
  if (auto* connecting = std::get_if<Connecting>(&exchange.phase)) {
    const bool can_go_on = connecting->attempts < attempts_max;
    if (can_go_on) ++connecting->attempts;
    if (can_go_on && may_try_again(connecting->attempts, config::on_connect, context)) return Action::connect;
    return answer(exchange, ends, context, status, "no server could be connected",
                  status == 504 ? Ending::connect_slow : Ending::connect);
  }
  const Relaying& relaying = std::get<Relaying>(exchange.phase);
  if (is_unprocessed(*ends.upstream) && relaying.held != 0 && relaying.attempts + 1u < unprocessed_max)
    return try_again(exchange, relaying.attempts + 1u, false);
  const bool stale = exchange.upstream && exchange.upstream->reused;
  const unsigned attempts = relaying.attempts + (stale ? 0u : 1u);
  // On a reused connection, bytes that are not a response belong to an earlier exchange.
  const std::string_view came = ends.upstream->unread.view();
  const bool is_unanswered = came.empty() || (stale && !can_begin_a_response(came));
  const bool again = relaying.held != 0 && exchange.request.idempotent && is_unanswered &&
                     (stale ? context.rules->sends_lost_again() : may_try_again(attempts, config::on_reset, context));
  const bool was_reset = ends.upstream->stream && ends.upstream->stream->reset_code != 0;
  const std::string_view why = was_reset ? stream_reset : server_ended;
  if (!again && exchange.request.is_grpc && ends.client.stream && was_reset) {
    context.scratch.refusal = {0, why};
    return reset(exchange, Ending::server_gone);  // with the same code, which means something to the client
  }
  if (!again) return answer(exchange, ends, context, status, why, Ending::server_gone);
  if (!stale) context.scratch.refusal = {0, why};  // the next server may answer
  return try_again(exchange, attempts, !stale);
}

// If another server has failed already, that is what the client learns.
Action answer_unavailable(Exchange& exchange, const Ends& ends, const Context& context) {
  const auto* connecting = std::get_if<Connecting>(&exchange.phase);
  const bool has_failed = connecting != nullptr && connecting->attempts != 0;
  if (has_failed)
    return answer(exchange, ends, context, 502, "no server could be connected, and no other takes requests",
                  Ending::connect);
  const Ending ending = exchange.queued_since_ms != 0 ? Ending::queue : Ending::no_server;
  return answer(exchange, ends, context, 503, "no server takes requests now", ending);
}

}  // namespace

bool retries_instead_of(std::uint16_t status, Exchange& exchange, const Context& context) {
  if (!context.rules->retries) return false;
  const Relaying& relaying = std::get<Relaying>(exchange.phase);
  const config::RetryOn cause = status == 502 ? config::on_502 : status == 503 ? config::on_503 : config::on_504;
  const bool may_repeat =
      relaying.held != 0 && exchange.request.idempotent && (status == 502 || status == 503 || status == 504);
  if (!may_repeat || !may_try_again(relaying.attempts + 1u, cause, context)) return false;
  try_again(exchange, relaying.attempts + 1u, true);
  return true;
}

Action advance(Exchange& exchange, const Ends& ends, const Context& context) {
  if (std::holds_alternative<Relaying>(exchange.phase)) return relay(exchange, ends, context);
  if (std::holds_alternative<Connecting>(exchange.phase)) {
    if (ends.upstream != nullptr) return connected(exchange, ends, context);
    return exchange.route.empty() ? admit(exchange, ends, context) : Action::connect;
  }
  return advance_answer(exchange, ends, context);
}

void reconfigured(Exchange& exchange) {
  if (std::holds_alternative<Connecting>(exchange.phase)) exchange.route.clear();
}

Action upstream_lost(Exchange& exchange, const Ends& ends, Loss loss, const Context& context) {
  switch (loss) {
    case Loss::unreachable:
      if (auto* connecting = std::get_if<Connecting>(&exchange.phase)) connecting->attempts = attempts_max;
      return retry_or_answer(exchange, ends, 502, context);
    case Loss::unavailable:
      return answer_unavailable(exchange, ends, context);
    case Loss::connect_failed: return retry_or_answer(exchange, ends, 502, context);
    case Loss::connect_timed_out: return retry_or_answer(exchange, ends, 504, context);
    case Loss::reset: break;
  }
  auto* relaying = std::get_if<Relaying>(&exchange.phase);
  if (relaying == nullptr) return Action::close;
  if (std::holds_alternative<ResponseAwaited>(relaying->response)) return retry_or_answer(exchange, ends, 502, context);
  // The part of the response that has arrived is forwarded before the client is reset; it may even be complete.
  if (ends.upstream == nullptr) return reset(exchange, Ending::server_gone);
  ends.upstream->read_ended = ends.upstream->was_reset = true;
  upstream_write_failed(exchange, ends);
  return Action::wait;
}

void upstream_write_failed(Exchange& exchange, const Ends& ends) {
  ends.upstream->drop_unsent();
  if (auto* relaying = std::get_if<Relaying>(&exchange.phase)) relaying->upload_abandoned = true;
}

Action expire(Exchange& exchange, const Ends& ends, const Context& context) {
  if (std::holds_alternative<Connecting>(exchange.phase))
    return answer(exchange, ends, context, 504, took_too_long, Ending::total);
  auto* relaying = std::get_if<Relaying>(&exchange.phase);
  if (relaying == nullptr) return ends.client.all_sent() ? Action::close : reset(exchange, Ending::client_slow);
  const bool client_is_late =
      awaits_body(exchange, *relaying, ends.client, ends.upstream) && !exchange.request.expects_continue;
  const bool is_all_late = total_deadline_ms(exchange.started_ms, *context.rules) <= context.now_ms;
  if (auto* relayed = std::get_if<ResponseRelayed>(&relaying->response)) {
    const bool server_is_late =
        ends.upstream != nullptr && !has_ended(relayed->body) && ends.client.all_sent() && !client_is_late;
    if (server_is_late && lacks_content(exchange.request, exchange.status)) {  // all but its end has come
      relayed->body = NoBody{};
      return Action::cut_upstream;
    }
    if (server_is_late) {
      context.scratch.refusal = {0, is_all_late             ? took_too_long
                                    : relayed->may_be_quiet ? "timeouts.tunnel_idle: no more of the response arrived"
                                                            : "timeouts.response_body: no more of it arrived"};
    }
    return reset(exchange, is_all_late ? Ending::total : server_is_late ? Ending::server_slow : Ending::client_slow);
  }
  if (is_all_late) {
    return client_is_late ? answer_and_close(exchange, ends, context, 408, took_too_long, Ending::total)
                          : answer(exchange, ends, context, 504, took_too_long, Ending::total);
  }
  if (client_is_late)
    return answer_and_close(exchange, ends, context, 408, "timeouts.body: no more of the body arrived");
  if (retries_instead_of(504, exchange, context)) {
    context.scratch.refusal = {0, no_answer};
    return Action::cut_upstream;
  }
  return answer(exchange, ends, context, 504, no_answer);
}

std::int64_t total_deadline_ms(std::int64_t since_ms, const Rules& rules) {
  return rules.total_ms == 0 ? never : since_ms + rules.total_ms;
}

std::int64_t deadline_ms(const Exchange& exchange, const Flow& client, const Flow* upstream, const Rules& rules) {
  if (std::holds_alternative<Answering>(exchange.phase)) return answer_deadline_ms(exchange, client, rules);
  const std::int64_t total = total_deadline_ms(exchange.started_ms, rules);
  const auto* relaying = std::get_if<Relaying>(&exchange.phase);
  if (relaying == nullptr) return total;
  return std::min(relaying_deadline(exchange, *relaying, client, upstream, rules), total);
}

const RequestHead* unsent_head(const Exchange& exchange, const Buffer& unread, Scratch& scratch) {
  const auto* connecting = std::get_if<Connecting>(&exchange.phase);
  if (connecting == nullptr) return nullptr;
  if (reread_request_head(exchange, unread, connecting->head_bytes, scratch)) return nullptr;
  return &scratch.request;
}

bool awaits_response(const Exchange& exchange) {
  const auto* relaying = std::get_if<Relaying>(&exchange.phase);
  return relaying != nullptr && has_ended(exchange.request.body) &&
         std::holds_alternative<ResponseAwaited>(relaying->response);
}

std::uint64_t unread_bytes_max(const Exchange& exchange, const Rules& rules) {
  if (has_ended(exchange.request.body) || std::holds_alternative<Connecting>(exchange.phase)) return 0;
  const auto* relaying = std::get_if<Relaying>(&exchange.phase);
  if (relaying == nullptr && !exchange.request.keep_alive) return 0;
  return (relaying != nullptr ? relaying->held : 0) + std::max(rules.buffer_bytes, rules.head_bytes);
}

}  // namespace baton::http1
