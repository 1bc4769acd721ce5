#include "proxy/state/codec.hpp"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "proxy/state/wire.hpp"

namespace baton::state {

namespace {

constexpr std::uint32_t whole_mark = 0x4e544142;   // "BATN"

// Allocates everything in one arena: a message by itself that runs out of memory midway cannot be destroyed (a oneof
// names its member before the member exists).
wire::Moved& new_in(google::protobuf::Arena& arena) {
  return *google::protobuf::Arena::CreateMessage<wire::Moved>(&arena);
}

std::string finish(wire::Moved& moved) {
  moved.set_whole(whole_mark);
  return moved.SerializeAsString();
}

// What the engines assume about a state, checked for states that come from outside.
bool is_past_hello(const Leg& leg) { return !leg.tls || leg.tls->stage == TlsStage::records; }

bool holds_together(const ConnectionState& state, const Exchange& exchange) {
  const UpstreamLeg* const upstream = state.upstream();
  if (upstream != nullptr && !is_past_hello(*upstream)) return false;
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

bool holds_together(const ConnectionState& state) {
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

bool has_keys(const Leg& leg) { return leg.tls && leg.tls->stage == TlsStage::records; }

handoff::SecretBytes secrets_of(std::initializer_list<const Leg*> legs) {
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

std::string encode(const ConnectionState& state) {
  google::protobuf::Arena arena;
  wire::Moved& moved = new_in(arena);
  write(state, *moved.mutable_connection());
  if (state.exchange) {
    if (const auto* answering = std::get_if<Answering>(&state.exchange->phase)) {
      wire::Connection& connection = *moved.mutable_connection();
      connection.mutable_client()->mutable_unsent()->append(answering->rest());
      wire::Access& access = *connection.mutable_http1()->mutable_access();
      access.set_response_bytes(access.response_bytes() + answering->rest().size());
    }
  }
  return finish(moved);
}

std::string encode(const IdleUpstream& idle) {
  google::protobuf::Arena arena;
  wire::Moved& moved = new_in(arena);
  write(idle, *moved.mutable_idle_upstream());
  return finish(moved);
}

handoff::SecretBytes encode_secrets(const ConnectionState& state) {
  return secrets_of({&state.client, state.upstream()});
}

handoff::SecretBytes encode_secrets(const IdleUpstream& idle) { return secrets_of({&idle.leg}); }

std::vector<std::string> required_features(const ConnectionState& state) {
  if (std::holds_alternative<Arriving>(state.protocol)) return {arriving_feature};
  if (state.client.tls || (state.upstream() != nullptr && state.upstream()->tls)) return {tls_feature};
  return {};
}

std::vector<std::string> required_features(const IdleUpstream& idle) {
  if (idle.leg.tls) return {tls_feature};
  return {};
}

std::optional<Moved> decode(std::string_view bytes, std::string_view secrets, std::int64_t clock_offset_ms) {
  google::protobuf::Arena arena;
  wire::Moved& moved = new_in(arena);
  if (bytes.size() > std::numeric_limits<int>::max()) return std::nullopt;
  if (!moved.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || moved.whole() != whole_mark) {
    return std::nullopt;
  }
  if (moved.has_connection()) {
    ConnectionState state;
    const bool is_whole = read(moved.connection(), clock_offset_ms, secrets, state) && secrets.empty();
    if (is_whole && holds_together(state)) return state;
  }
  if (moved.has_idle_upstream()) {
    IdleUpstream idle;
    const bool is_whole = read(moved.idle_upstream(), clock_offset_ms, secrets, idle) && secrets.empty();
    if (is_whole && is_past_hello(idle.leg)) return idle;
  }
  return std::nullopt;
}

std::string_view phase_name(const ConnectionState& state) {
  if (std::holds_alternative<Arriving>(state.protocol)) return state.client.unread.empty() ? "idle" : "head";
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
