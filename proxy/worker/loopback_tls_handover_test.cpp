// How a handover and a reload treat handshakes, idle connections to servers, and connections whose TLS OpenSSL keeps.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/worker/testing/loopback_plays.hpp"
#include "proxy/tls/self_test.hpp"

namespace baton::proxy {
namespace {

std::shared_ptr<const Settings> with_upstream_tls(const Settings& from, std::shared_ptr<const tls::ClientContext> tls) {
  auto settings = std::make_shared<Settings>(from);
  settings->upstreams.front().tls = std::move(tls);
  return settings;
}

std::shared_ptr<const tls::ClientContext> careless_client() {
  config::UpstreamTls tls;
  tls.verify = false;
  return std::make_shared<tls::ClientContext>(tls);
}

// Clients, an origin that answers each request with its number, and two workers.
class TlsHandover : public testing::TestWithParam<int> {
 protected:
  void connect(Process& process, Wire& as) {
    as = Wire(front.connect(), peer_context(legs, true));
    process.worker.take(front.accept(), {.listener = "web", .tls = legs.client != 0}, {});
    clients.push_back(&as);
  }
  // Everything that can happen without waiting.
  void turn() {
    for (Wire* one : clients) one->turn(1 << 20, 1 << 20);
    if (auto socket = origin.accept()) {
      origin_wires.push_back(std::make_unique<Wire>(std::move(socket), peer_context(legs, false)));
    }
    for (auto& wire : origin_wires) {
      wire->turn(1 << 20, 1 << 20);
      if (answers && wire->take_heard().find("\r\n\r\n") != std::string::npos) {
        wire->say(response("answer " + std::to_string(++answered)));
      }
    }
    for (Process* process : {&first, &second}) {
      while (process->worker.loop().run_one(0)) {
      }
    }
  }
  bool until(const std::function<bool()>& holds) {
    for (int turns = 0; turns < 20'000 && !holds(); ++turns) {
      turn();
      if (turns > 100) first.worker.loop().run_one(1);
    }
    return holds();
  }
  void settle() {
    for (int i = 0; i < 50; ++i) turn();
  }
  std::string ask(Wire& as) {
    const std::string expected = "answer " + std::to_string(answered + 1);
    as.say(request("GET /"));
    std::string heard;
    until([&] { return (heard += as.take_heard()).ends_with(expected); });
    return heard.substr(heard.size() - std::min(heard.size(), expected.size()));
  }
  handoff::Batch freeze(Process& process) {
    handoff::Room room{.connections = 4, .descriptors = 8, .bytes = 64 * 1024};
    handoff::Batch batch;
    more = process.worker.freeze_next(room, batch);
    return batch;
  }

  const TestListener front;
  const TestListener origin;
  Legs legs{GetParam(), GetParam()};
  std::shared_ptr<const Settings> settings = loopback_settings(origin.address(), legs);
  Process first{settings, 1};
  Process second{settings, 2};
  Wire client;
  std::vector<Wire*> clients;
  std::vector<std::unique_ptr<Wire>> origin_wires;
  int answered = 0;
  bool answers = true;
  bool more = false;
};
INSTANTIATE_TEST_SUITE_P(Versions, TlsHandover, testing::Values(tls13, tls12),
                         [](const auto& from) { return from.param == tls13 ? "tls13" : "tls12"; });

// ── Handshakes ────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_P(TlsHandover, AHandshakeInTheMiddleEndsWhereItBeganAndThenMoves) {
  connect(first, client);
  client.turn(1 << 20, 1 << 20);                       // the ClientHello
  while (first.worker.loop().run_one(0)) {
  }
  int woken = 0;
  first.worker.begin_handover(0, [&] { ++woken; });
  EXPECT_TRUE(freeze(first).parcels.empty()) << "OpenSSL has it";
  EXPECT_TRUE(more) << "it is awaited";
  // The worker also wakes when the time for a finish is over.
  handoff::Batch batch;
  ASSERT_TRUE(until([&] {
    if (woken != 0 && batch.parcels.empty()) batch = freeze(first);
    return !batch.parcels.empty();
  }));
  ASSERT_EQ(batch.parcels.size(), 1U);
  EXPECT_FALSE(more);
  ASSERT_TRUE(move_one(first.worker, second.worker, batch.parcels.front()));
  first.worker.end_handover();
  EXPECT_EQ(first.worker.connections(), 0U);
  EXPECT_EQ(ask(client), "answer 1");
  EXPECT_EQ(second.worker.connections(), 1U);
}

TEST_P(TlsHandover, AReloadInTheMiddleOfAHandshakeLeavesItWhatItBeganWith) {
  const auto ticket_keys = settings->ticket_keys;      // those of the process, independent of its settings
  const std::weak_ptr<const tls::ServerContext> context = settings->tls.find("web")->second;
  connect(first, client);
  client.turn(1 << 20, 1 << 20);                       // the ClientHello
  while (first.worker.loop().run_one(0)) {
  }
  settings = loopback_settings(origin.address(), legs);
  first.worker.reconfigure(settings, nullptr);
  second.worker.reconfigure(settings, nullptr);
  ASSERT_FALSE(context.expired()) << "OpenSSL will ask it for tickets, and more";
  EXPECT_EQ(ask(client), "answer 1");
  EXPECT_TRUE(context.expired()) << "nobody needs it any more";
}

// A successor relies on both: a ClientHello comes before anything else, and a leg to a server has completed its
// handshake.
TEST(TlsStates, OneInWhichAHelloIsWhereNoneCanBeIsRefused) {
  const auto is_read = [](const state::ConnectionState& state) {
    return state::decode(state::encode(state), state::encode_secrets(state).view(), 0).has_value();
  };
  state::ConnectionState state;
  state.client.tls.emplace().received.append("\x16\x03");
  EXPECT_TRUE(is_read(state));
  state.client.unread.append("GET /");
  EXPECT_FALSE(is_read(state)) << "plain bytes before the handshake";
  state.client.unread.clear();
  state.protocol = state::Http1{.phase = state::Lingering{}};
  EXPECT_FALSE(is_read(state)) << "a phase that comes later";
  state.protocol = state::Raw{};
  state.exchange.emplace().phase = state::Tunnelling{.upstream = "app"};
  EXPECT_TRUE(is_read(state)) << "raw TCP";
  state.exchange->upstream.emplace().upstream = "app";
  EXPECT_FALSE(is_read(state)) << "a server before the handshake";
  state.client.tls = {};
  EXPECT_TRUE(is_read(state));
  state.upstream()->tls.emplace();
  EXPECT_FALSE(is_read(state)) << "a server without keys";
  state::IdleUpstream idle;
  idle.leg.tls.emplace();
  EXPECT_FALSE(state::decode(state::encode(idle), state::encode_secrets(idle).view(), 0).has_value());
}

// ── Idle connections to servers ───────────────────────────────────────────────────────────────────────────────────

TEST_P(TlsHandover, AnIdleConnectionToAServerMovesAndIsUsedAgain) {
  const auto send_ticket = [&] {
    if (GetParam() != tls13) return;
    SSL_new_session_ticket(origin_wires.front()->tls()->ssl());
    origin_wires.front()->tls()->shake();
    settle();
  };
  connect(first, client);
  EXPECT_EQ(ask(client), "answer 1");
  ASSERT_TRUE(until([&] { return first.worker.pool().idle() == 1; }));
  send_ticket();
  EXPECT_EQ(first.worker.pool().idle(), 1U) << "a ticket is no word out of turn";
  move_all(first.worker, second.worker, Outcome::adopted);
  EXPECT_EQ(first.worker.pool().idle(), 0U);
  EXPECT_EQ(second.worker.pool().idle(), 1U);
  send_ticket();
  EXPECT_EQ(second.worker.pool().idle(), 1U);
  EXPECT_EQ(ask(client), "answer 2");
  Wire another;
  connect(second, another);
  EXPECT_EQ(ask(another), "answer 3");
  EXPECT_EQ(origin_wires.size(), 1U) << "no other connection was made";
}

TEST_P(TlsHandover, AnIdleConnectionThatEndsOrSpeaksIsClosed) {
  connect(first, client);
  for (const bool ends : {true, false}) {
    ask(client);
    ASSERT_TRUE(until([&] { return first.worker.pool().idle() == 1; }));
    answers = false;
    if (ends) {
      origin_wires.back()->end(false);
    } else {
      origin_wires.back()->say("out of turn");
    }
    EXPECT_TRUE(until([&] { return first.worker.pool().idle() == 0; }));
    answers = true;
  }
}

// The settings under which it was made, and others: plain, TLS that verifies, TLS that does not.
TEST_P(TlsHandover, AnIdleConnectionIsUsedOnlyUnderTheSettingsItWasMadeUnder) {
  const auto verifying = settings->upstreams.front().tls;
  const std::shared_ptr<const tls::ClientContext> all[] = {nullptr, verifying, careless_client()};
  for (const auto& before : all) {
    for (const auto& after : all) {
      for (const bool by_reload : {true, false}) {
        Process old_one(with_upstream_tls(*settings, before), 1);
        Process new_one(with_upstream_tls(*settings, after), 2);
        Process& now = by_reload ? old_one : new_one;
        legs.origin = before ? GetParam() : 0;
        Wire one;
        connect(old_one, one);
        const auto is_answered_by = [&](Process& process) {
          std::string heard;
          one.say(request("GET /"));
          return until([&] {
            while (process.worker.loop().run_one(0)) {
            }
            heard += one.take_heard();
            return heard.find("answer") != std::string::npos && process.worker.pool().idle() == 1;
          });
        };
        ASSERT_TRUE(is_answered_by(old_one));
        if (by_reload) {
          old_one.worker.reconfigure(with_upstream_tls(*settings, after), nullptr);
        } else {
          move_all(old_one.worker, new_one.worker, Outcome::adopted);
        }
        EXPECT_EQ(now.worker.pool().idle(), before == after ? 1U : 0U);
        const std::size_t made = origin_wires.size();
        legs.origin = after ? GetParam() : 0;
        ASSERT_TRUE(is_answered_by(now));
        EXPECT_EQ(origin_wires.size(), made + (before == after ? 0 : 1));
        clients.pop_back();
      }
    }
  }
}

TEST_P(TlsHandover, AConnectionInUseIsNotKeptUnderOtherSettingsAfterwards) {
  connect(first, client);
  answers = false;
  client.say(request("GET /"));
  ASSERT_TRUE(until([&] { return !origin_wires.empty() && origin_wires.front()->has_heard(); }));
  first.worker.reconfigure(with_upstream_tls(*settings, careless_client()), nullptr);
  origin_wires.front()->say(response("late"));
  EXPECT_TRUE(until([&] { return client.has_heard(); }));
  settle();
  EXPECT_EQ(first.worker.pool().idle(), 0U);
}

// ── What OpenSSL keeps ────────────────────────────────────────────────────────────────────────────────────────────

// While it exists, no cipher suite counts as proven.
struct Distrust {
  Distrust() {
    tls::run_self_test();
    for (const tls::Suite& suite : tls::suites()) tls::distrust(suite);
  }
  ~Distrust() { tls::run_self_test(); }
};

TEST_P(TlsHandover, AConnectionThatOpenSslKeepsStaysAndDrainsAndTheOthersMove) {
  Wire moving;
  connect(first, moving);
  EXPECT_EQ(ask(moving), "answer 1");
  const Distrust distrust;
  connect(first, client);
  EXPECT_EQ(ask(client), "answer 2");
  first.worker.begin_handover(0, [] {});
  for (handoff::Batch batch = freeze(first); !batch.parcels.empty(); batch = freeze(first)) {
    for (const handoff::Parcel& parcel : batch.parcels) EXPECT_TRUE(move_one(first.worker, second.worker, parcel));
  }
  EXPECT_FALSE(more) << "nothing that stays is awaited";
  first.worker.end_handover();
  EXPECT_EQ(first.worker.connections(), 1U);
  EXPECT_EQ(second.worker.connections(), 1U);
  EXPECT_EQ(ask(client), "answer 3");
  EXPECT_EQ(ask(moving), "answer 4");
  EXPECT_EQ(first.worker.connections(), 1U) << "a boundary moves it no more than anything else";
  client.end(false);
  EXPECT_TRUE(until([&] { return first.worker.connections() == 0; })) << "it drains";
  EXPECT_EQ(second.worker.connections(), 1U);
}

TEST_P(TlsHandover, WhatOpenSslKeepsServesTheSameBytesAndNothingOfItIsMoved) {
  const Scene scene(legs);
  for (const Play& play : plays(100'000)) {
    const Witnessed expected = Stage(play, scene).run([](std::size_t, Stage&) {});
    const Distrust distrust;
    const Witnessed seen = Stage(play, scene).run([](std::size_t events, Stage& stage) {
      if (events % 5 == 0) stage.move(events % 2 == 0 ? Outcome::adopted : Outcome::taken_back);
    });
    ASSERT_TRUE(seen.finished) << play.name;
    ASSERT_TRUE(seen == expected) << play.name;
  }
}

}  // namespace
}  // namespace baton::proxy
