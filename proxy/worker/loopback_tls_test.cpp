// The same conversations with TLS on the client's leg, on the server's, and on both: moved after any event, each side
// must see the same plaintext.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "proxy/worker/testing/loopback_plays.hpp"

namespace baton::proxy {
namespace {

constexpr std::size_t tls_body_bytes = 30'000;

// Specific to TLS: key updates in the middle of bodies.
std::vector<Play> tls_plays() {
  std::vector<Play> all = plays(tls_body_bytes);
  const std::string body = numbered(tls_body_bytes);
  const std::string half = body.substr(0, body.size() / 2);
  const std::string upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
  all.push_back(
      {.name = "keys that change in the middle of bodies",
       .client = {{"", request("PUT /", "Content-Length: " + std::to_string(body.size()) + "\r\n") + half},
                  {.until = "", .send = body.substr(half.size()), .keys = KeyUpdate::mutual},
                  {.until = body.substr(body.size() - 30), .send = request("GET /2"), .keys = KeyUpdate::alone},
                  {"two", "", true}},
       .origin = {{body.substr(body.size() - 30), response(body).substr(0, tls_body_bytes / 2)},
                  {.until = "", .send = response(body).substr(tls_body_bytes / 2), .keys = KeyUpdate::alone},
                  {.until = "\r\n\r\n", .send = response("two"), .keys = KeyUpdate::mutual}},
       .client_reads = 8 * 1024,
       .origin_reads = 8 * 1024});
  all.push_back({.name = "keys that change in a tunnel",
                 .client = {{"", request("GET /ws", upgrade)},
                            {.until = "101", .send = "ping", .keys = KeyUpdate::mutual},
                            {.until = "pong", .send = half + "last words", .then_end = true, .keys = KeyUpdate::mutual}},
                 .origin = {{"\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n" + upgrade + "\r\n"},
                            {.until = "ping", .send = "pong", .keys = KeyUpdate::mutual},
                            {.until = "last words", .send = half, .then_end = true, .keys = KeyUpdate::alone}}});
  return all;
}

class LoopbackTls : public testing::TestWithParam<Legs> {
 protected:
  // Runs every play once undisturbed, and then again for each event after which `act` is to be called.
  void compare(const std::function<bool(std::size_t event)>& begins_at,
               const std::function<void(Stage&, std::size_t since)>& act) {
    const Scene scene(GetParam());
    for (const Play& play : tls_plays()) {
      std::size_t events = 0;
      const Witnessed expected = Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; });
      ASSERT_TRUE(expected.finished) << play.name << " has stopped\nclient: " << expected.client.substr(0, 300)
                                     << "\norigin: " << expected.origin.substr(0, 300);
      ASSERT_TRUE(expected.client_saw_good_end) << play.name;
      for (std::size_t at = 1; at <= events; ++at) {
        if (!begins_at(at)) continue;
        const Witnessed seen = Stage(play, scene).run([&](std::size_t count, Stage& stage) {
          if (count >= at) act(stage, count - at);
        });
        ASSERT_TRUE(seen.finished) << play.name << ", stopped after event " << at << " of " << events;
        ASSERT_TRUE(seen == expected) << play.name << ", event " << at << " of " << events << "\nclient "
                                      << seen.client.size() << " of " << expected.client.size() << " bytes, origin "
                                      << seen.origin.size() << " of " << expected.origin.size();
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Legs, LoopbackTls,
                         testing::Values(Legs{tls13, 0}, Legs{tls12, 0}, Legs{0, tls13}, Legs{0, tls12},
                                         Legs{tls13, tls12}, Legs{tls12, tls13}),
                         [](const auto& legs) { return name_of(legs.param); });

TEST_P(LoopbackTls, MovedAfterAnyEventNothingIsLost) {
  // With TLS on one leg, every event; with TLS on both, every other event.
  const std::size_t step = GetParam().client != 0 && GetParam().origin != 0 ? 2 : 1;
  compare([&](std::size_t event) { return event % step == 0; },
          [](Stage& stage, std::size_t since) {
            if (since == 0) stage.move(Outcome::adopted);
          });
}

TEST_P(LoopbackTls, TakenBackOrMovedThereAndBackNothingIsLost) {
  compare([](std::size_t event) { return event % 5 == 0; },
          [](Stage& stage, std::size_t since) {
            if (since == 0) stage.move(Outcome::taken_back);
            if (since == 1 || since == 3) stage.move(Outcome::adopted);
          });
}

TEST_P(LoopbackTls, CopiesThatAreNeverClosedHoldUpNothing) {
  compare([](std::size_t event) { return event % 7 == 1; },
          [](Stage& stage, std::size_t since) {
            if (since == 0) stage.move(Outcome::adopted_and_copies_kept);
          });
  compare([](std::size_t event) { return event % 7 == 4; },
          [](Stage& stage, std::size_t since) {
            if (since == 0) stage.move(Outcome::taken_back_and_copies_kept);
          });
}

// A move causes an event for each socket, so moving at every third event leaves room for progress between moves.
TEST_P(LoopbackTls, MovedAgainAndAgainNothingIsLost) {
  const Scene scene(GetParam());
  for (const Play& play : tls_plays()) {
    const Witnessed expected = Stage(play, scene).run([](std::size_t, Stage&) {});
    // A connect with its handshake takes several events, and each move restarts it.
    const std::size_t undisturbed = scene.legs.origin == 0 ? 0 : 24;
    const Witnessed seen = Stage(play, scene).run([&](std::size_t events, Stage& stage) {
      if (events > undisturbed && events % 3 == 0) stage.move(events % 2 == 0 ? Outcome::adopted : Outcome::taken_back);
    });
    ASSERT_TRUE(seen == expected) << play.name;
  }
}

// ── Interruptions ─────────────────────────────────────────────────────────────────────────────────────────────────

// Wherever it is moved.
void at_any_event(const Play& play, Legs legs, const std::function<void(const Witnessed&)>& check) {
  const Scene scene(legs);
  std::size_t events = 0;
  check(Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; }));
  for (std::size_t at = 1; at <= events; ++at) {
    check(Stage(play, scene).run([&](std::size_t count, Stage& stage) {
      if (count == at) stage.move(Outcome::adopted);
    }));
  }
}

Play until_close(bool bluntly) {
  return {.name = "a response until close",
          .client = {{"", request("GET /")}},
          .origin = {{"\r\n\r\n", ok + "\r\n" + numbered(3'000), true, bluntly}},
          .closes = true,
          .breaks = true};
}

TEST(LoopbackTlsEnds, AResponseUntilCloseThatWasCutShortEndsInAReset) {
  for (const Legs legs : {Legs{0, tls13}, Legs{0, tls12}, Legs{tls13, tls13}}) {
    at_any_event(until_close(true), legs, [](const Witnessed& seen) {
      EXPECT_TRUE(seen.finished && seen.client_was_reset);
      EXPECT_FALSE(seen.client_saw_end) << "it would take what it has for the whole";
    });
    at_any_event(until_close(false), legs, [](const Witnessed& seen) {
      EXPECT_TRUE(seen.finished && seen.client_saw_good_end && !seen.client_was_reset);
      EXPECT_TRUE(seen.client.ends_with(numbered(3'000)));
    });
  }
}

TEST(LoopbackTlsEnds, AResponseThatKnowsItsLengthIsWholeWithoutACloseNotify) {
  const Play play{.name = "by length",
                  .client = {{"", request("GET /")}, {"one", request("GET /2")}, {"two", "", true}},
                  .origin = {{"\r\n\r\n", response("one"), true, true}, {"\r\n\r\n", response("two")}}};
  for (const int version : {tls13, tls12}) {
    at_any_event(play, {0, version}, [](const Witnessed& seen) {
      EXPECT_TRUE(seen.finished && !seen.client_was_reset);
      EXPECT_TRUE(seen.client.ends_with("two"));
    });
  }
}

TEST(LoopbackTlsEnds, AClientThatEndsBluntlyAfterItsRequestIsAnswered) {
  const Play play{.name = "blunt",
                  .client = {{"", request("GET /", "Connection: close\r\n"), true, true}},
                  .origin = {{"\r\n\r\n", response("one")}},
                  .closes = true};
  for (const int version : {tls13, tls12}) {
    at_any_event(play, {version, 0}, [](const Witnessed& seen) {
      EXPECT_TRUE(seen.finished && seen.client_saw_good_end && seen.client.ends_with("one"));
    });
  }
}

// ── The ClientHello ───────────────────────────────────────────────────────────────────────────────────────────────

TEST(LoopbackTlsHello, ComesByteByByteAndMovesAsBytesUntilItIsWhole) {
  const Play play{.name = "dripped",
                  .client = {{"", request("GET /")}, {"one", "", true}},
                  .origin = {{"\r\n\r\n", response("one")}},
                  .client_writes = 1};
  for (const int version : {tls13, tls12}) {
    const Scene scene({version, 0});
    const tls::SslCtxPtr like_the_clients = tls::test::context_of(TLS_client_method(), version);
    tls::test::Peer measured(like_the_clients.get());
    measured.shake();
    const std::size_t hello_bytes = measured.take().size();

    std::size_t moves = 0;
    bool stayed = false;
    const Witnessed seen = Stage(play, scene).run([&](std::size_t events, Stage& stage) {
      // One byte per event and one event per move, so one byte arrives between two moves.
      if (stayed || events % 2 == 0) return;
      stayed = !stage.move(Outcome::adopted);
      moves += stayed ? 0 : 1;
    });
    EXPECT_TRUE(seen.finished && seen.client.ends_with("one"));
    EXPECT_TRUE(stayed) << "in its handshake it cannot move";
    EXPECT_GT(moves, hello_bytes / 4) << "it moved as bytes";
  }
}

}  // namespace
}  // namespace baton::proxy
