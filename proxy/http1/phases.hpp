// The parts of the engine (exchange.hpp), for its own files only: the request's side in request.cpp, the response's in
// response.cpp, answers of our own in answer.cpp, and the transitions between phases in exchange.cpp.
#pragma once

#include <algorithm>

#include "proxy/http1/exchange.hpp"
#include "proxy/http1/forward.hpp"
#include "proxy/http1/grammar.hpp"

namespace baton::http1 {

// The line before content that goes on in chunks (RFC 9112 §7.1); CR LF comes behind it.
void append_chunk_size(std::size_t bytes, state::Buffer& out);

template <Lowercase prefix>
bool begins_with(std::string_view type) {
  return type.size() >= prefix.size && same_token<prefix>(type.data());
}
template <Lowercase prefix>
bool has_content_type(const std::vector<Field>& fields) {
  const auto field = std::ranges::find(fields, FieldName::content_type, &Field::id);
  return field != fields.end() && begins_with<prefix>(field->value);
}

inline bool has_ended(const state::BodyFraming& body) { return std::holds_alternative<state::NoBody>(body); }

// Of a response with this status to the request; a server of HTTP/2 may still end its stream later.
inline bool lacks_content(const state::Request& request, std::uint16_t status) {
  return request.head_only || has_no_content(status);
}

inline constexpr std::string_view body_too_large = "limits.body_bytes: the body is longer";
inline constexpr std::string_view took_too_long = "timeouts.total: the exchange takes too long";

// Searches only as far as a head may reach, so that bytes after the head do not change how it is judged. (`scanned` may
// be beyond that if a configuration with a larger limit began the search.)
HeadEnd find_head_within(const state::Buffer& unread, const Rules& rules, std::uint32_t& scanned);

// ── answer.cpp ────────────────────────────────────────────────────────────────────────────────────────────────────

// Begins an answer of our own; only before a byte of the final response has been forwarded. The connection serves
// another request afterwards if the end of this one can be found. `why` is a literal, for the log, and so is `ending`;
// `done`: as the status says.
Action answer(state::Exchange& exchange, const Ends& ends, const Context& context, std::uint16_t status,
              std::string_view why, state::Ending ending = state::Ending::done);
// The same, as the last on its connection: where the request ends is not known, or too far.
Action answer_and_close(state::Exchange& exchange, const Ends& ends, const Context& context, std::uint16_t status,
                        std::string_view why, state::Ending ending = state::Ending::done);
// The same as `answer` with a prepared response.
Action answer_with(state::Exchange& exchange, const Ends& ends, const Context& context, const routing::Answer& answer,
                   state::Ending ending);
// The exchange will not be whole. Of several reasons the first counts.
inline void note_ending(state::Exchange& exchange, state::Ending ending) {
  if (exchange.ending == state::Ending::done) exchange.ending = ending;
}
// The request is at its route's gate, its head in the tables: `connect`, `authenticate`, or an answer.
Action pass_gate(state::Exchange& exchange, const Ends& ends, const Context& context, const routing::Gate& gate);
// Counts the request, once in its life: `connect`, or an answer.
Action pass_rates(state::Exchange& exchange, const Ends& ends, const Context& context,
                  const routing::RateLimits& limits);
// Sends on, reads what is left of the request, and ends the exchange after both.
Action advance_answer(state::Exchange& exchange, const Ends& ends, const Context& context);
std::int64_t answer_deadline_ms(const state::Exchange& exchange, const state::Flow& client, const Rules& rules);

// What the end of a response means for the connection once all of it is sent.
Action after_response(const state::Request& request, const state::Flow& client);

// ── admission.cpp ─────────────────────────────────────────────────────────────────────────────────────────────────

// Chooses the route of a request not yet sent. `connect`: it may go to a server; otherwise it was answered.
Action admit(state::Exchange& exchange, const Ends& ends, const Context& context);

// The server answers with this status, or is about to be answered for. True: the route wants another attempt instead,
// and the exchange is `Connecting`; then cut the upstream.
bool retries_instead_of(std::uint16_t status, state::Exchange& exchange, const Context& context);

// ── request.cpp ───────────────────────────────────────────────────────────────────────────────────────────────────

// Keeps what the access log will need, if the rules say so. `has_head`: it is in the tables.
void note_access(state::Exchange& exchange, const Rules& rules, bool has_head, const state::Flow& client,
                 const Context& context);

// Parses the head at the front of client.unread into the scratch tables. The first `bytes` end with an empty line; the
// head may be shorter.
HeadError read_request_head(const state::Exchange& exchange, const state::Buffer& unread, std::size_t bytes,
                            const HeadLimits& limits, Scratch& scratch);

// Parses the head again unless the tables still hold it. The limits at its arrival judged it; today's may be smaller.
inline HeadError reread_request_head(const state::Exchange& exchange, const state::Buffer& unread,
                                     std::size_t head_bytes, Scratch& scratch) {
  if (scratch.parsed_for == &exchange && scratch.parsed_at == unread.data()) return {};
  return read_request_head(exchange, unread, head_bytes, {}, scratch);
}

// How the request's body comes: content on a stream ends with it.
inline state::BodyFraming request_body(const state::Flow& client, const RequestMeaning& meaning) {
  if (!client.stream) return meaning.body;
  const bool has_body = client.stream->has_body && !client.stream->takes_connect;
  return has_body ? state::BodyFraming(state::UntilClose{}) : state::BodyFraming(state::NoBody{});
}

// No further attempt is possible or needed.
void let_go_of_held(state::Flow& client, state::Relaying& relaying);

enum class Upload { going_on, ended, too_large, malformed };
Upload relay_upload(state::Exchange& exchange, const Ends& ends, const Context& context);
// Drops the body at the front of client.unread.
Upload discard_upload(state::Request& request, state::Flow& client, const Context& context);

// ── marks.cpp ─────────────────────────────────────────────────────────────────────────────────────────────────────

// Notes the client of the request in the tables, its id and its trace. An error: the request is refused.
HeadError recognise(state::Exchange& exchange, const Context& context);
// Whether there is anything for `recognise` to do.
inline bool is_to_recognise(const Context& context) {
  return context.clients != nullptr || context.trusted != nullptr;
}
// Gives it an id, if requests get one and it has none yet. `head`: nullptr if it could not be parsed.
void note_request_id(state::Exchange& exchange, const Context& context, const RequestHead* head);
// The field with the exchange's id; no name: it has none.
OwnField id_field(const state::Exchange& exchange, const Context& context);
// How the request in the tables, which has been recognised, is forwarded. Views the scratch memory, as do the others.
void add_marks(const state::Exchange& exchange, const Context& context, ForwardedBy& by);
inline ForwardedBy forwarded_by(const state::Exchange& exchange, const Context& context) {
  ForwardedBy by{context.client_address, context.https, context.client_subject, context.rules->underscores};
  if (is_to_recognise(context)) add_marks(exchange, context, by);
  return by;
}
// The changes of the response's fields; null: there are none.
const ResponseChanges& changes_of_response(const state::Exchange& exchange, const Context& context);
inline const ResponseChanges* response_changes(const state::Exchange& exchange, const Context& context) {
  const bool has_some = context.clients != nullptr || exchange.response_edits || !exchange.sticky_cookie.empty();
  return has_some ? &changes_of_response(exchange, context) : nullptr;
}

// ── websocket.cpp ─────────────────────────────────────────────────────────────────────────────────────────────────

// A server of HTTP/2 has taken the WebSocket (RFC 8441): the answer that a client of HTTP/1.1 waits for, in its terms.
void write_switching_head(const state::Exchange& exchange, const ResponseHead& head, const ResponseRules& rules,
                          state::Buffer& out);
// Notes in the exchange what that answer will need of the request in the tables.
void note_websocket(state::Exchange& exchange, const RequestHead& head);

// ── response.cpp ──────────────────────────────────────────────────────────────────────────────────────────────────

// Whether these bytes can be the beginning of a response.
bool can_begin_a_response(std::string_view bytes);

// Reads heads until the final one has been forwarded; `wait`: more must arrive first, or the phase has changed.
Action relay_response_head(state::Exchange& exchange, const Ends& ends, const Context& context);

// `truncated`: the server ended the response too early. `malformed`: what it sent is not a valid body.
enum class Download { going_on, ended, truncated, malformed };
Download relay_download(state::Exchange& exchange, const Ends& ends, const Context& context);

}  // namespace baton::http1
