#include "proxy/tunnel/tunnel.hpp"

#include <algorithm>

namespace baton::tunnel {

using engine::Action;

namespace {

constexpr unsigned attempts_max = 255;

// Forwards one direction as far as there is room. Returns the number of bytes moved.
std::size_t pass(state::Flow& from, state::Flow& to, std::uint64_t buffer_bytes, std::int64_t now_ms) {
  if (from.unread.empty() || to.write_ended) {
    if (to.write_ended) from.unread.clear();       // no one will receive them
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

Action end(state::Exchange& exchange, state::Ending why) {
  exchange.ending = why;
  return Action::reset;
}

// The source has ended, and everything it sent has been forwarded.
bool must_end(const state::Flow& from, const state::Flow& to) {
  return from.read_ended && !from.was_reset && from.unread.empty() && to.unsent.empty() && !to.write_ended;
}

// The same for a source that was reset: this is forwarded as a reset, never as a FIN.
bool must_reset(const state::Flow& from, const state::Flow& to) {
  return from.was_reset && from.read_ended && from.unread.empty() && to.all_sent();
}

// One side has ended and takes no more bytes, so what the other side still sends is discarded. The other side has got
// the earlier bytes and the FIN.
bool is_alone(const state::Flow& gone, const state::Flow& other) {
  return gone.read_ended && gone.write_ended && gone.unread.empty() && other.write_ended && !other.read_ended &&
         other.all_sent();
}

}  // namespace

Action advance(state::Exchange& exchange, const engine::Ends& ends, std::uint64_t buffer_bytes, std::int64_t now_ms) {
  if (ends.upstream == nullptr) return Action::connect;
  state::Flow& client = ends.client;
  state::Flow& upstream = *ends.upstream;
  exchange.request.body_bytes += pass(client, upstream, buffer_bytes, now_ms);
  exchange.response_bytes += pass(upstream, client, buffer_bytes, now_ms);
  if (must_reset(upstream, client)) return end(exchange, state::Ending::server_gone);
  if (must_reset(client, upstream)) return end(exchange, state::Ending::client_gone);
  if (must_end(upstream, client)) return Action::end_client_writing;
  if (must_end(client, upstream)) return Action::end_upstream_writing;
  if (is_alone(upstream, client)) return end(exchange, state::Ending::server_gone);
  if (is_alone(client, upstream)) return end(exchange, state::Ending::client_gone);
  const bool both_ended = client.write_ended && upstream.write_ended && client.read_ended && upstream.read_ended;
  return both_ended && client.all_sent() && upstream.all_sent() ? Action::close : Action::wait;
}

Action upstream_lost(state::Exchange& exchange, const engine::Ends& ends, engine::Loss loss, unsigned servers) {
  if (ends.upstream != nullptr) {
    note_lost(*ends.upstream);
    return Action::wait;
  }
  auto& tunnelling = std::get<state::Tunnelling>(exchange.phase);
  using enum engine::Loss;
  if (loss == unavailable) {
    return end(exchange, exchange.queued_since_ms != 0 ? state::Ending::queue : state::Ending::no_server);
  }
  if (loss == unreachable) return end(exchange, state::Ending::connect);
  if (tunnelling.attempts < attempts_max) ++tunnelling.attempts;
  if (tunnelling.attempts < std::min(servers, attempts_max)) return Action::connect;
  return end(exchange, loss == connect_timed_out ? state::Ending::connect_slow : state::Ending::connect);
}

Action expire(state::Exchange& exchange) {
  return end(exchange, state::Ending::idle);
}

void note_lost(state::Flow& leg) {
  leg.read_ended = leg.was_reset = true;
  leg.drop_unsent();
}

void note_write_failed(state::Flow& leg) { leg.drop_unsent(); }

std::int64_t last_progress_ms(const state::Flow& client, const state::Flow& upstream) {
  return std::max({client.read_at_ms, client.write_at_ms, upstream.read_at_ms, upstream.write_at_ms});
}

std::int64_t deadline_ms(const state::Flow& client, const state::Flow& upstream, std::int64_t idle_ms,
                         std::int64_t send_ms) {
  std::int64_t deadline = last_progress_ms(client, upstream) + idle_ms;
  const auto cut = [&](const state::Flow& from, const state::Flow& to) {
    const bool takes_no_more = from.was_reset || (from.write_ended && !to.read_ended);
    if (takes_no_more) deadline = std::min(deadline, std::max(from.read_at_ms, to.write_at_ms) + send_ms);
  };
  cut(client, upstream);
  cut(upstream, client);
  return deadline;
}

}  // namespace baton::tunnel
