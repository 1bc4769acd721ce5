#include "proxy/state/codec.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/state/testing/random_state.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {
namespace {

using namespace std::string_view_literals;

constexpr int states = 300;

// Encodes and decodes.
template <class Value>
std::optional<Moved> again(const Value& value, std::int64_t clock_offset_ms = 0) {
  return decode(encode(value), encode_secrets(value).view(), clock_offset_ms);
}

ConnectionState decoded(const ConnectionState& there, std::int64_t clock_offset_ms = 0) {
  auto moved = again(there, clock_offset_ms);
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

// The messages of state.proto by protobuf's own code.
wire::Moved judged(const ConnectionState& state) {
  wire::Moved moved;
  if (!moved.ParseFromString(encode(state))) throw std::logic_error("protobuf does not read what was encoded");
  return moved;
}

std::optional<Moved> read_back(const wire::Moved& moved, const ConnectionState& like) {
  return decode(moved.SerializeAsString(), encode_secrets(like).view(), 0);
}

TEST(Codec, WritesAndReadsWhatProtobufDoes) {
  RandomState random(5);
  for (int i = 0; i < states; ++i) {
    const ConnectionState state = random.connection();
    const wire::Moved moved = judged(state);
    ASSERT_EQ(moved.ByteSizeLong(), encode(state).size()) << "state " << i;
    ASSERT_EQ(read_back(moved, state), Moved(state)) << "state " << i;
  }
}

TEST(Codec, WritesWhatStandsBehindTheEndOfAnAnswerToo) {
  ConnectionState state = in_phase(Answering{}, false);
  state.exchange->response_bytes = 3;
  auto& answering = std::get<Answering>(state.exchange->phase);
  answering.body = std::allocate_shared<const String>(ListMemory<String>(), "0123456789");
  answering.taken = 4;
  const ConnectionState there = decoded(state);
  EXPECT_EQ(there.client.unsent.view(), "abc456789");
  EXPECT_EQ(there.exchange->response_bytes, 9U);
}

TEST(Codec, PassesOverWhatANewerVersionAdded) {
  const std::string added = "\xc2\x3e\x04more";      // field 1000
  const std::string other = "\xda\x0b\x02\x08\x01";  // field 187
  RandomState random(4);
  for (int i = 0; i < states; ++i) {
    const ConnectionState state = random.connection();
    wire::Moved moved = judged(state);
    wire::Connection& connection = *moved.mutable_connection();
    const auto add_to = [&](auto& message) { EXPECT_TRUE(message.MergeFromString(added + other)); };
    add_to(connection);
    add_to(*connection.mutable_client());
    add_to(*connection.mutable_client_address());
    if (connection.has_http1()) add_to(*connection.mutable_http1());
    if (connection.has_tunnel()) add_to(*connection.mutable_tunnel());
    if (connection.has_upstream()) add_to(*connection.mutable_upstream()->mutable_leg());
    if (connection.has_http2()) {
      for (wire::Side& side : *connection.mutable_http2()->mutable_streams()) add_to(side);
    }
    ASSERT_EQ(read_back(moved, state), Moved(state)) << "state " << i;
  }
}

TEST(Codec, RefusesAFieldOfAnotherType) {
  const std::string whole = encode(with_bytes());
  const auto replaced = [&](std::string_view field, std::string_view by) {
    std::string bytes = whole;
    const std::size_t at = bytes.find(field);
    if (at == std::string::npos) throw std::logic_error("no such field");
    bytes.replace(at, field.size(), by);
    return bytes;
  };
  EXPECT_TRUE(decode(replaced("\x08\x07", "\x08\x08"), {}, 0)) << "another id";
  EXPECT_FALSE(decode(replaced("\x08\x07", "\x0a\x00"sv), {}, 0)) << "an id of bytes";
  EXPECT_FALSE(decode(replaced("\x08\x07", "\x0b\x0c"), {}, 0)) << "a group";
  EXPECT_FALSE(decode(replaced("\x12\x03web", "\x10\xff\xff\xff\x01"), {}, 0)) << "a listener that is a number";
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
  wire::Moved moved = judged(state);
  moved.mutable_connection()->mutable_upstream()->mutable_leg();
  return read_back(moved, state).has_value();
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
  const ConnectionState whole = in_phase(Connecting{.head_bytes = 1}, false);
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
    wire::Moved moved = judged(whole);
    changes[i](*moved.mutable_connection());
    EXPECT_FALSE(read_back(moved, whole)) << "change " << i;
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
