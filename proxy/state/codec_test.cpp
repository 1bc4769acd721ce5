#include "proxy/state/codec.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "proxy/state/testing/random_state.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {
namespace {

constexpr int states = 300;

// Encodes and decodes.
template <class Value>
std::optional<Moved> again(const Value& value, std::int64_t clock_offset_ms = 0) {
  return decode(encode(value), encode_secrets(value).view(), clock_offset_ms);
}

// The encoded state followed by `added`.
ConnectionState decoded(const ConnectionState& there, std::int64_t clock_offset_ms = 0, const std::string& added = {}) {
  auto moved = decode(encode(there) + added, encode_secrets(there).view(), clock_offset_ms);
  if (!moved || !std::holds_alternative<ConnectionState>(*moved)) {
    ADD_FAILURE() << "no connection was decoded";
    return {};
  }
  return std::get<ConnectionState>(std::move(*moved));
}

Http1& http1_of(ConnectionState& state) { return std::get<Http1>(state.protocol); }

ConnectionState with_bytes() {
  ConnectionState state;
  state.id = 7;
  state.listener = "web";
  state.client.unread.append("0123456789");
  state.client.unsent.append("abc");
  return state;
}

// A state in the phase, without an exchange.
template <class Phase>
ConnectionState between(Phase phase) {
  ConnectionState state = with_bytes();
  http1_of(state).phase = std::move(phase);
  return state;
}

// A state whose exchange is in the phase.
template <class Phase>
ConnectionState in_phase(Phase phase, bool with_upstream, Request request = {}) {
  ConnectionState state = with_bytes();
  Exchange& exchange = state.exchange.emplace();
  exchange.request = request;
  exchange.phase = std::move(phase);
  if (!with_upstream) return state;
  exchange.upstream.emplace().upstream = "app";
  exchange.upstream->unread.append("0123456789");
  return state;
}

bool holds_together(const ConnectionState& state) { return again(state).has_value(); }

TEST(Codec, GivesEveryStateBackAsItWas) {
  RandomState random(1);
  for (int i = 0; i < 10 * states; ++i) {
    const ConnectionState state = random.connection();
    ASSERT_EQ(decoded(state), state) << "state " << i << ", " << phase_name(state);
    const IdleUpstream idle = random.idle_upstream();
    ASSERT_EQ(again(idle), Moved(idle)) << "idle upstream " << i;
  }
}

TEST(Codec, RefusesEveryTruncation) {
  RandomState random(2);
  for (int i = 0; i < states; ++i) {
    const auto refuses_truncations = [&](const auto& value) {
      const std::string bytes = encode(value);
      const handoff::SecretBytes secrets = encode_secrets(value);
      for (std::size_t kept = 0; kept < bytes.size(); ++kept) {
        ASSERT_FALSE(decode(std::string_view(bytes).substr(0, kept), secrets.view(), 0)) << i << " cut to " << kept;
      }
      if (secrets.empty()) return;
      ASSERT_FALSE(decode(bytes, secrets.view().substr(1), 0)) << i << ", a secret too short";
      ASSERT_FALSE(decode(bytes, std::string(secrets.view()) + "x", 0)) << i << ", a secret too long";
      ASSERT_FALSE(decode(bytes, {}, 0)) << i << ", no secret";
    };
    if (i % 8 == 0) {
      refuses_truncations(random.idle_upstream());
    } else {
      refuses_truncations(random.connection());
    }
  }
}

TEST(Codec, AFlippedByteIsRefusedOrIsAnotherWholeState) {
  RandomState random(3);
  for (int i = 0; i < states / 10; ++i) {
    const ConnectionState original = random.connection();
    const std::string bytes = encode(original);
    const handoff::SecretBytes secrets = encode_secrets(original);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int flip : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ flip);
        const auto moved = decode(flipped, secrets.view(), 0);
        if (!moved) continue;
        std::visit([&](const auto& value) { ASSERT_EQ(again(value), *moved) << "state " << i << ", byte " << at; }, *moved);
      }
    }
  }
}

// A wire field that contains other fields. A message that occurs twice is merged.
std::string message(int field, const std::string& content) {
  const int tag = field << 3 | 2;  // a number of base 128, the lowest digit first
  std::string text(1, static_cast<char>(tag < 128 ? tag : tag % 128 + 128));
  if (tag >= 128) text += static_cast<char>(tag / 128);
  return text + static_cast<char>(content.size()) + content;
}

TEST(Codec, PassesOverWhatANewerVersionAdded) {
  const std::string added = "\xc2\x3e\x04more";      // field 1000
  RandomState random(4);
  for (int i = 0; i < states; ++i) {
    const ConnectionState state = random.connection();
    const auto* http1 = std::get_if<Http1>(&state.protocol);
    std::string in_protocol = added;
    const bool is_arriving = std::holds_alternative<Arriving>(state.protocol);
    const bool is_http2 = state.http2() != nullptr;
    const int phase = is_arriving || is_http2 ? 0
                      : !state.exchange ? (std::holds_alternative<Lingering>(http1->phase) ? 5 : 1)
                                        : static_cast<int>(state.exchange->phase.index()) + 2;
    if (http1 != nullptr) in_protocol += message(phase, added);
    const std::string in_connection = added + message(wire::Connection::kClientFieldNumber, added) +
                                      message(wire::Connection::kClientAddressFieldNumber, added) +
                                      message(http1 != nullptr ? 6
                                              : is_http2       ? 120
                                              : is_arriving    ? 70
                                                               : 7,
                                              in_protocol);
    ASSERT_EQ(decoded(state, 0, added + message(1, in_connection)), state) << "state " << i;
  }
}

TEST(Codec, AddsTheClocksDifferenceToEveryTimeButNever) {
  ConnectionState state = between(AwaitingRequest{.since_ms = 100, .scanned = 3});
  state.client.read_at_ms = 200;
  state.client.write_at_ms = 0;
  ConnectionState there = decoded(state, 5000);
  EXPECT_EQ(there.client.read_at_ms, 5200);
  EXPECT_EQ(there.client.write_at_ms, 0);
  EXPECT_EQ(std::get<AwaitingRequest>(std::get<Http1>(there.protocol).phase).since_ms, 5100);

  state = between(Lingering{.since_ms = 100});
  EXPECT_EQ(std::get<Lingering>(std::get<Http1>(decoded(state, -40).protocol).phase).since_ms, 60);

  state = in_phase(Answering{}, false);
  state.exchange->started_ms = 300;
  state.exchange->started_unix_us = 400;
  there = decoded(state, 5000);
  EXPECT_EQ(there.exchange->started_ms, 5300);
  EXPECT_EQ(there.exchange->started_unix_us, 400) << "the date is the same for both";

  state = in_phase(Tunnelling{}, true);
  state.protocol = Raw{};
  state.exchange->started_ms = 900;
  state.upstream()->read_at_ms = 100;
  state.upstream()->write_at_ms = 200;
  there = decoded(state, 5000);
  EXPECT_EQ(there.upstream()->read_at_ms, 5100);
  EXPECT_EQ(there.upstream()->write_at_ms, 5200);
  EXPECT_EQ(there.exchange->started_ms, 5900);

  const auto idle = again(IdleUpstream{.upstream = "app", .idle_since_ms = 100}, 5000);
  ASSERT_TRUE(idle);
  EXPECT_EQ(std::get<IdleUpstream>(*idle).idle_since_ms, 5100);
}

TEST(Codec, RefusesTimesThatNoClockShows) {
  for (const std::int64_t time : {std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_FALSE(holds_together(between(AwaitingRequest{.since_ms = time})));
    EXPECT_FALSE(holds_together(between(Lingering{.since_ms = time})));
    ConnectionState state = between(AwaitingRequest{});
    state.client.read_at_ms = time;
    EXPECT_FALSE(holds_together(state));
    state = in_phase(Answering{}, false);
    state.exchange->started_ms = time;
    EXPECT_FALSE(holds_together(state));
    EXPECT_FALSE(again(IdleUpstream{.idle_since_ms = time}));
  }
}

TEST(Codec, RefusesPositionsBeyondWhatIsThere) {
  EXPECT_TRUE(holds_together(between(AwaitingRequest{.scanned = 10})));
  EXPECT_FALSE(holds_together(between(AwaitingRequest{.scanned = 11})));
  EXPECT_TRUE(holds_together(in_phase(Connecting{.head_bytes = 10}, false)));
  EXPECT_FALSE(holds_together(in_phase(Connecting{.head_bytes = 11}, false)));
  EXPECT_FALSE(holds_together(in_phase(Connecting{.head_bytes = 0}, false)));
  EXPECT_TRUE(holds_together(in_phase(Relaying{.head_bytes = 4, .held = 10}, true)));
  EXPECT_FALSE(holds_together(in_phase(Relaying{.head_bytes = 4, .held = 11}, true)));
  EXPECT_FALSE(holds_together(in_phase(Relaying{.head_bytes = 9, .held = 8}, true)));
  EXPECT_FALSE(holds_together(in_phase(Relaying{.head_bytes = 0, .held = 8}, true)));
  EXPECT_TRUE(holds_together(in_phase(Relaying{.response = ResponseAwaited{.scanned = 10}}, true)));
  EXPECT_FALSE(holds_together(in_phase(Relaying{.response = ResponseAwaited{.scanned = 11}}, true)));
}

// The state with an upstream leg that exists only on the wire.
bool holds_together_with_upstream(const ConnectionState& state) {
  wire::Moved moved;
  if (!moved.ParseFromString(encode(state))) throw std::logic_error("not what was encoded");
  moved.mutable_connection()->mutable_upstream()->mutable_leg();
  return decode(moved.SerializeAsString(), {}, 0).has_value();
}

TEST(Codec, RefusesAnUpstreamLegTooManyOrTooFew) {
  EXPECT_FALSE(holds_together_with_upstream(between(AwaitingRequest{})));
  EXPECT_FALSE(holds_together_with_upstream(between(Lingering{})));
  EXPECT_FALSE(holds_together(in_phase(Connecting{.head_bytes = 1}, true)));
  EXPECT_FALSE(holds_together(in_phase(Answering{}, true)));
  EXPECT_FALSE(holds_together(in_phase(Relaying{.response = ResponseAwaited{}}, false)));
  EXPECT_FALSE(holds_together(in_phase(Relaying{.response = ResponseRelayed{.body = UntilClose{}}}, false)));
  EXPECT_TRUE(holds_together(in_phase(Relaying{.response = ResponseRelayed{.body = NoBody{}}}, false)));
}

TEST(Codec, RefusesFramingsThatCannotBe) {
  const auto with_body = [](BodyFraming body) { return in_phase(Connecting{.head_bytes = 1}, false, {.body = body}); };
  EXPECT_TRUE(holds_together(with_body(ByLength{1})));
  EXPECT_FALSE(holds_together(with_body(UntilClose{})));
  EXPECT_FALSE(holds_together(with_body(ByLength{0})));
  const auto position = static_cast<ChunkPosition>(static_cast<int>(last_chunk_position) + 1);
  EXPECT_FALSE(holds_together(with_body(ByChunks{position})));
}

// Values that the wire format allows and the state does not.
TEST(Codec, RefusesNumbersOutOfTheirRange) {
  const std::string whole = encode(in_phase(Connecting{.head_bytes = 1}, false));
  const std::vector<std::function<void(wire::Connection&)>> changes{
      [](wire::Connection& in) { in.mutable_http1()->mutable_connecting()->set_attempts(256); },
      [](wire::Connection& in) { in.mutable_http1()->mutable_connecting()->clear_request(); },
      [](wire::Connection& in) { in.mutable_http1()->mutable_connecting()->mutable_request()->clear_body(); },
      [](wire::Connection& in) { in.mutable_http1()->mutable_access()->set_status(65536); },
      [](wire::Connection& in) { in.mutable_http1()->clear_phase(); },
      [](wire::Connection& in) { in.mutable_client_address()->set_family(4); },
      [](wire::Connection& in) { in.mutable_client_address()->set_port(65536); },
      [](wire::Connection& in) { in.mutable_client_address()->set_ip("12345"); },
      [](wire::Connection& in) { in.clear_client(); },
      [](wire::Connection& in) { in.clear_protocol(); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    wire::Moved moved;
    ASSERT_TRUE(moved.ParseFromString(whole));
    changes[i](*moved.mutable_connection());
    EXPECT_FALSE(decode(moved.SerializeAsString(), {}, 0)) << "change " << i;
  }
}

// Keys travel beside the payload and nowhere else; a leg without keys sends none.
TEST(Codec, KeepsSecretsOutOfThePayload) {
  ConnectionState state = between(AwaitingRequest{});
  EXPECT_TRUE(encode_secrets(state).empty());
  Tls& tls = state.client.tls.emplace();
  EXPECT_TRUE(encode_secrets(state).empty()) << "a ClientHello that has not fully come";
  tls.stage = TlsStage::records;
  state.client.unread.clear();
  tls.read.secrets.traffic.fill('T');
  tls.read.secrets.key.fill('K');
  tls.write.secrets.iv.fill('I');
  const std::string secrets(encode_secrets(state).view());
  for (const char* part : {"TTTTTTTT", "KKKKKKKK", "IIIIIIII"}) {
    EXPECT_NE(secrets.find(part), std::string::npos);
    EXPECT_EQ(encode(state).find(part), std::string::npos);
  }
  EXPECT_TRUE(holds_together(state));
  for (const TlsStage stage : {TlsStage::handshake, TlsStage::kept}) {
    tls.stage = stage;
    EXPECT_FALSE(holds_together(state)) << "such a leg cannot move";
  }
}

TEST(Codec, NamesThePhases) {
  EXPECT_EQ(phase_name(between(AwaitingRequest{})), "head");
  EXPECT_EQ(phase_name(ConnectionState{}), "idle");
  EXPECT_EQ(phase_name(in_phase(Connecting{}, false)), "exchange");
  EXPECT_EQ(phase_name(in_phase(Relaying{}, true)), "exchange");
  ConnectionState answering = in_phase(Answering{}, false);
  EXPECT_EQ(phase_name(answering), "exchange");
  answering.exchange->request.keep_alive = false;
  EXPECT_EQ(phase_name(answering), "closing");
  EXPECT_EQ(phase_name(between(Lingering{})), "closing");
  ConnectionState tunnel;
  tunnel.protocol = Raw{};
  EXPECT_EQ(phase_name(tunnel), "tunnel");
}

}  // namespace
}  // namespace baton::state
