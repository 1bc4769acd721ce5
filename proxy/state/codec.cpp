#include "proxy/state/codec.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "proxy/state/wire.hpp"

namespace baton::state {

namespace {

// What the engines assume about a state, checked for states that come from outside.
bool is_past_hello(const Leg& leg) { return !leg.tls || leg.tls->stage == TlsStage::records; }

bool holds_together(const ClientSide& state, const Exchange& exchange) {
  const UpstreamLeg* const upstream = state.upstream();
  if (upstream != nullptr && !is_past_hello(*upstream)) return false;
  const bool ends_with_flow = std::holds_alternative<UntilClose>(exchange.request.body);
  if (ends_with_flow && !state.client.stream) return false;
  if (std::holds_alternative<Tunnelling>(exchange.phase)) return true;
  if (const auto* connecting = std::get_if<Connecting>(&exchange.phase)) {
    return upstream == nullptr && connecting->head_bytes != 0 && connecting->head_bytes <= state.client.unread.size();
  }
  const auto* relaying = std::get_if<Relaying>(&exchange.phase);
  if (relaying == nullptr) return upstream == nullptr;
  const bool held_fits =
      relaying->held <= state.client.unread.size() &&
      (relaying->held == 0 || (relaying->head_bytes != 0 && relaying->head_bytes <= relaying->held));
  const auto* awaited = std::get_if<ResponseAwaited>(&relaying->response);
  if (awaited != nullptr && upstream != nullptr && awaited->scanned > upstream->unread.size()) return false;
  const auto* relayed = std::get_if<ResponseRelayed>(&relaying->response);
  const bool response_ended = relayed != nullptr && std::holds_alternative<NoBody>(relayed->body);
  return held_fits && (upstream != nullptr || response_ended);
}

// The blocks in Stream::heads are whole.
bool are_blocks(std::string_view heads) {
  while (!heads.empty()) {
    if (heads.size() < 4) return false;
    std::uint32_t bytes = 0;
    for (const char c : heads.substr(0, 4)) bytes = bytes << 8 | static_cast<unsigned char>(c);
    bytes &= 0x7fff'ffff;
    if (bytes > heads.size() - 4) return false;
    heads.remove_prefix(4 + std::size_t{bytes});
  }
  return true;
}

constexpr std::int64_t window_max = 0x7fff'ffff;
bool is_window(std::int64_t bytes) {
  return bytes >= -window_max && bytes <= window_max;
}

bool holds_together(const Flow& flow, std::uint32_t last_stream) {
  if (!flow.stream || flow.tls || flow.stream->id > last_stream) return false;
  const Stream& stream = *flow.stream;
  return is_window(stream.send_window) && is_window(stream.receive_window) && stream.window <= window_max &&
         stream.wanted <= window_max && are_blocks(stream.heads.view());
}

bool holds_together(const ClientSide& side, std::uint32_t last_stream) {
  const Flow& flow = side.client;
  if (!holds_together(flow, last_stream) || flow.stream->id == 0) return false;
  const Stream& stream = *flow.stream;
  if (side.exchange) return holds_together(side, *side.exchange);
  return stream.refused_with != 0 || (stream.head_bytes != 0 && stream.head_bytes <= flow.unread.size());
}

bool holds_together(const Frames& frames, bool is_client) {
  return frames.is_client == is_client && is_window(frames.send_window) && is_window(frames.receive_window) &&
         frames.stream_window <= window_max && frames.peer_stream_window <= window_max &&
         frames.last_stream <= window_max && frames.block_stream <= window_max;
}

// Each leg with a stream has its carrier, on which no other has the same id.
bool are_carried(const ConnectionState& state) {
  static const Carriers none;
  const Carriers& carriers = state.carriers ? *state.carriers : none;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ids;
  const auto is_carried = [&](const UpstreamLeg& leg) {
    if (leg.frames || (leg.carrier != 0) != static_cast<bool>(leg.stream)) return false;
    if (!leg.stream) return true;
    const auto carrier = std::ranges::find(carriers, leg.carrier, [](const auto& one) { return one->carrier; });
    if (carrier == carriers.end() || !holds_together(leg, (*carrier)->frames->last_stream)) return false;
    if (leg.stream->id != 0) ids.emplace_back(leg.carrier, leg.stream->id);
    return true;
  };
  std::vector<std::uint32_t> numbers;
  for (const auto& one : carriers) {
    if (one->carrier == 0 || one->stream || !one->frames || !holds_together(*one->frames, true)) return false;
    if (!is_past_hello(*one)) return false;
    numbers.push_back(one->carrier);
  }
  if (state.upstream() != nullptr && !is_carried(*state.upstream())) return false;
  if (const Http2* const http2 = state.http2()) {
    for (const auto& side : http2->streams) {
      if (side->upstream() != nullptr && !is_carried(*side->upstream())) return false;
    }
  }
  const auto are_different = [](auto& all) {
    std::ranges::sort(all);
    return std::ranges::adjacent_find(all) == all.end();
  };
  return are_different(ids) && are_different(numbers);
}

bool holds_together(const Http2& http2) {
  const Frames& frames = http2.frames;
  std::uint32_t before = 0;
  for (const auto& side : http2.streams) {
    if (!holds_together(*side, frames.last_stream) || side->client.stream->id <= before) return false;
    before = side->client.stream->id;
  }
  return holds_together(frames, false);
}

bool holds_together(const ConnectionState& state) {
  if (state.client.stream || !are_carried(state)) return false;
  if (const Http2* const http2 = state.http2()) {
    return !state.exchange && is_past_hello(state.client) && holds_together(*http2);
  }
  if (std::holds_alternative<Arriving>(state.protocol)) return !state.exchange && !state.client.tls;
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  const auto* awaiting = http1 != nullptr ? std::get_if<AwaitingRequest>(&http1->phase) : nullptr;
  if (!is_past_hello(state.client)) {
    const bool is_at_its_beginning = http1 == nullptr || (awaiting != nullptr && !state.exchange);
    if (!is_at_its_beginning || state.upstream() != nullptr || !state.client.unread.empty()) return false;
  }
  if (state.exchange) return holds_together(state, *state.exchange);
  return awaiting == nullptr || awaiting->scanned <= state.client.unread.size();
}

bool holds_together(const IdleUpstream& idle) {
  return is_past_hello(idle.leg) && !idle.leg.stream && (!idle.frames || holds_together(*idle.frames, true));
}

bool has_keys(const Leg& leg) { return leg.tls && leg.tls->stage == TlsStage::records; }

// The client's, then those of its exchanges to servers, then the carriers.
template <class State, class Visit>
void each_leg(State& state, Visit visit) {
  visit(state.client);
  const auto visit_upstream = [&](const ClientSide& side) {
    UpstreamLeg* const leg = side.upstream();
    if (leg != nullptr && !leg->stream) visit(*leg);
  };
  visit_upstream(state);
  if (const Http2* const http2 = state.http2()) {
    for (const auto& side : http2->streams) visit_upstream(*side);
  }
  if (state.carriers) {
    for (const auto& carrier : *state.carriers) visit(*carrier);
  }
}

std::vector<const Leg*> legs_of(const ConnectionState& state) {
  std::vector<const Leg*> legs;
  each_leg(state, [&](const Leg& leg) { legs.push_back(&leg); });
  return legs;
}

handoff::SecretBytes secrets_of(std::span<const Leg* const> legs) {
  constexpr std::size_t bytes_of_one = sizeof(TlsSecrets::traffic) + sizeof(TlsSecrets::key) + sizeof(TlsSecrets::iv);
  std::size_t count = 0;
  for (const Leg* leg : legs) count += leg != nullptr && has_keys(*leg) ? 2 : 0;
  handoff::SecretBytes secrets(count * bytes_of_one);
  char* at = secrets.data();
  for (const Leg* leg : legs) {
    if (leg == nullptr || !has_keys(*leg)) continue;
    for (const TlsSecrets* one : {&leg->tls->read.secrets, &leg->tls->write.secrets}) {
      at = std::copy(one->traffic.begin(), one->traffic.end(), at);
      at = std::copy(one->key.begin(), one->key.end(), at);
      at = std::copy(one->iv.begin(), one->iv.end(), at);
    }
  }
  return secrets;
}

}  // namespace

handoff::SecretBytes encode_secrets(const ConnectionState& state) {
  return secrets_of(legs_of(state));
}

handoff::SecretBytes encode_secrets(const IdleUpstream& idle) {
  const Leg* const leg = &idle.leg;
  return secrets_of({&leg, 1});
}

bool is_movable(const ConnectionState& state) {
  return (!state.client.tls || state.client.tls->stage != TlsStage::handshake) && !is_kept(state);
}

bool is_kept(const ConnectionState& state) {
  bool found = false;
  each_leg(state, [&](const Leg& leg) { found = found || (leg.tls && leg.tls->stage == TlsStage::kept); });
  return found;
}

std::size_t descriptors(const ConnectionState& state) {
  std::size_t count = 0;
  each_leg(state, [&](const Leg&) { ++count; });
  return count;
}

void append_descriptors(const ConnectionState& state, std::vector<int>& to) {
  each_leg(state, [&](const Leg& leg) { to.push_back(leg.descriptor.number); });
}

void set_descriptors(ConnectionState& state, std::span<const handoff::UniqueFd> sockets) {
  auto socket = sockets.begin();
  each_leg(state, [&](Leg& leg) { leg.descriptor.number = (socket++)->get(); });
}

std::vector<std::string> required_features(const ConnectionState& state) {
  if (state.carriers) return {http2_feature, carrier_feature};
  if (std::holds_alternative<Arriving>(state.protocol)) return {arriving_feature};
  if (state.http2() != nullptr) return {http2_feature};
  if (state.client.tls || (state.upstream() != nullptr && state.upstream()->tls)) return {tls_feature};
  return {};
}

std::vector<std::string> required_features(const IdleUpstream& idle) {
  if (idle.frames) return {carrier_feature};
  if (idle.leg.tls) return {tls_feature};
  return {};
}

std::optional<Moved> decode(std::string_view bytes, std::string_view secrets, std::int64_t clock_offset_ms) {
  std::optional<Moved> moved = read(bytes, clock_offset_ms, secrets);
  if (!moved || !secrets.empty()) return std::nullopt;
  const bool is_sound = std::visit([](const auto& state) { return holds_together(state); }, *moved);
  if (!is_sound) moved.reset();
  return moved;
}

std::string_view phase_name(const ConnectionState& state) {
  if (std::holds_alternative<Arriving>(state.protocol)) return state.client.unread.empty() ? "idle" : "head";
  if (const Http2* const http2 = state.http2()) {
    if (!http2->streams.empty()) return "exchange";
    if (http2->frames.goaway_sent || http2->frames.has_failed) return "closing";
    return state.client.unread.empty() && http2->frames.block_stream == 0 ? "idle" : "head";
  }
  const auto* http1 = std::get_if<Http1>(&state.protocol);
  if (http1 == nullptr) return "tunnel";
  if (state.exchange) {
    const bool is_last =
        std::holds_alternative<Answering>(state.exchange->phase) && !state.exchange->request.keep_alive;
    return is_last ? "closing" : "exchange";
  }
  if (std::holds_alternative<Lingering>(http1->phase)) return "closing";
  return state.client.unread.empty() ? "idle" : "head";
}

}  // namespace baton::state
