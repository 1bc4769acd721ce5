#include "proxy/tunnel/tunnel.hpp"

#include <algorithm>

namespace baton::tunnel {

namespace {

// One direction, as far as there is room for it. Gives how many bytes went.
std::size_t pass(state::Leg& from, state::Leg& to, std::uint64_t buffer_bytes, std::int64_t now_ms) {
  if (from.unread.empty() || to.write_ended) {
    if (to.write_ended) from.unread.clear();       // nobody takes them any more
    return 0;
  }
  std::size_t bytes = from.unread.size();
  if (to.unsent.empty()) {
    to.write_at_ms = now_ms;
  } else {
    if (to.unsent.size() >= buffer_bytes) return 0;
    bytes = std::min<std::size_t>(bytes, buffer_bytes - to.unsent.size());
  }
  from.unread.move_to(to.unsent, bytes);
  return bytes;
}

// The source has ended, and everything it sent has gone out.
bool must_end(const state::Leg& from, const state::Leg& to) {
  return from.read_ended && !from.was_reset && from.unread.empty() && to.unsent.empty() && !to.write_ended;
}

// The same where it was reset: that goes on as a reset, never as an end in good order.
bool must_reset(const state::Leg& from, const state::Leg& to) {
  return from.was_reset && from.read_ended && from.unread.empty() && to.all_sent();
}

// One side has ended and takes no more: what the other one still says is for nobody. It gets what came before, and the end.
bool is_alone(const state::Leg& gone, const state::Leg& other) {
  return gone.read_ended && gone.write_ended && gone.unread.empty() && other.write_ended && !other.read_ended &&
         other.all_sent();
}

}  // namespace

Need advance(state::ConnectionState& state, std::uint64_t buffer_bytes, std::int64_t now_ms) {
  if (!state.upstream) return Need::connect;
  state::Leg& client = state.client;
  state::Leg& upstream = *state.upstream;
  pass(client, upstream, buffer_bytes, now_ms);
  const std::size_t to_client = pass(upstream, client, buffer_bytes, now_ms);
  if (auto* tunnel = std::get_if<state::Tunnel>(&state.protocol)) tunnel->access.response_bytes += to_client;
  if (must_reset(upstream, client) || must_reset(client, upstream)) return Need::reset;
  if (must_end(upstream, client)) return Need::end_client_writing;
  if (must_end(client, upstream)) return Need::end_upstream_writing;
  if (is_alone(upstream, client) || is_alone(client, upstream)) return Need::reset;
  const bool both_ended = client.write_ended && upstream.write_ended && client.read_ended && upstream.read_ended;
  if (both_ended && client.all_sent() && upstream.all_sent()) return Need::close;
  return Need::nothing;
}

void note_lost(state::Leg& leg) {
  leg.read_ended = leg.was_reset = true;
  leg.drop_unsent();
}

void note_write_failed(state::Leg& leg) { leg.drop_unsent(); }

std::int64_t last_progress_ms(const state::ConnectionState& state) {
  return std::max({state.client.read_at_ms, state.client.write_at_ms, state.upstream->read_at_ms,
                   state.upstream->write_at_ms});
}

std::int64_t deadline_ms(const state::ConnectionState& state, std::int64_t idle_ms, std::int64_t send_ms) {
  std::int64_t deadline = last_progress_ms(state) + idle_ms;
  const auto cut = [&](const state::Leg& from, const state::Leg& to) {
    const bool takes_no_more = from.was_reset || (from.write_ended && !to.read_ended);
    if (takes_no_more) deadline = std::min(deadline, std::max(from.read_at_ms, to.write_at_ms) + send_ms);
  };
  cut(state.client, *state.upstream);
  cut(*state.upstream, state.client);
  return deadline;
}

}  // namespace baton::tunnel
