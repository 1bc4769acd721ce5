// The parts of the engine (exchange.hpp): the request's side in request.cpp, the response's in response.cpp, what leads
// from one phase to the next in exchange.cpp. For these files only.
#pragma once

#include "proxy/http1/exchange.hpp"

namespace baton::http1 {

inline state::Http1& http1_of(state::ConnectionState& state) { return std::get<state::Http1>(state.protocol); }

inline bool has_ended(const state::BodyFraming& body) { return std::holds_alternative<state::NoBody>(body); }

inline constexpr std::string_view body_too_large = "limits.body_bytes: the body is longer";

// Searches only as far as a head may reach: what came with it must not change how it is judged. (`scanned` may be
// beyond that where a configuration with a larger limit began.)
HeadEnd find_head_within(const state::Buffer& unread, const Rules& rules, std::uint32_t& scanned);

// An answer of our own; only before a byte of the final response has been passed on. `why` is a literal, for the log.
Ask answer(state::ConnectionState& state, const Context& context, std::uint16_t status, bool head_only,
           std::string_view why = {});

// ── request.cpp ───────────────────────────────────────────────────────────────────────────────────────────────────

// AwaitingRequest: until a whole head is here and is good.
Ask await_request(state::ConnectionState& state, state::AwaitingRequest& phase, const Context& context);

// Begins the access record of a request whose first byte came at `since_ms`. `head`: nullptr if it could not be parsed.
void note_access(state::Http1& http1, std::int64_t since_ms, const Context& context, const RequestHead* head,
                 std::string_view first_line);

// Parses the head at the front of client.unread into the scratch tables, unless they hold it already.
HeadError read_request_head(const state::ConnectionState& state, std::size_t head_bytes, const HeadLimits& limits,
                            const Context& context);

// No further attempt is possible, or needed.
void let_go_of_held(state::ConnectionState& state, state::Relaying& relaying);

enum class Upload { going_on, ended, too_large, malformed };
Upload relay_upload(state::ConnectionState& state, state::Relaying& relaying, const Context& context);

// ── response.cpp ──────────────────────────────────────────────────────────────────────────────────────────────────

// Whether a response can begin with these bytes, as far as they go.
bool can_begin_a_response(std::string_view bytes);

// Reads heads until the final one has been passed on; `wait`: more must come first, or the phase is another now.
Ask relay_response_head(state::ConnectionState& state, const Context& context);

enum class Download { going_on, ended, broken };
Download relay_download(state::ConnectionState& state, state::ResponseRelayed& response, const Context& context);

}  // namespace baton::http1
