// One peer resets its connection: whichever worker serves by then, the other peer must see a reset too, after the bytes
// that preceded it.
#include <gtest/gtest.h>

#include <functional>

#include "proxy/worker/testing/loopback_plays.hpp"

namespace baton::proxy {
namespace {

// Undisturbed, and with a move after each event, so that the reset comes before, during and after the freeze.
void at_any_event(const Play& play, const std::function<void(const Witnessed&)>& check) {
  for (const Legs legs : {Legs{0, 0}, Legs{tls13, tls13}}) {
    for (const Outcome outcome : {Outcome::adopted, Outcome::taken_back, Outcome::adopted_and_copies_kept}) {
      const Scene scene(legs);
      std::size_t events = 0;
      check(Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; }));
      for (std::size_t at = 1; at <= events; ++at) {
        SCOPED_TRACE(play.name + ", TLS " + std::to_string(legs.client) + ", moved after event " + std::to_string(at));
        check(Stage(play, scene).run([&](std::size_t count, Stage& stage) {
          if (count == at) stage.move(outcome);
        }));
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

const std::string upgrade_fields = "Connection: upgrade\r\nUpgrade: websocket\r\n";
const std::string switching = "HTTP/1.1 101 Switching Protocols\r\n" + upgrade_fields + "\r\n";

TEST(LoopbackResets, OfAClientInARawTunnelReachTheServer) {
  const Play play{.name = "raw",
                  .client = {{.until = "", .send = "hello"},
                             {.until = "welcome", .send = numbered(3'000) + "last words", .then_reset = true}},
                  .origin = {{"hello", "welcome"}},
                  .breaks_origin = true,
                  .raw = true};
  at_any_event(play, [](const Witnessed& seen) {
    EXPECT_TRUE(seen.origin_was_reset);
    EXPECT_FALSE(seen.origin_saw_end) << "what was cut looks complete";
    EXPECT_TRUE(seen.origin.ends_with("last words"));
  });
}

TEST(LoopbackResets, OfAServerInARawTunnelReachTheClient) {
  const Play play{.name = "raw",
                  .client = {{.until = "", .send = "hello"}},
                  .origin = {{.until = "hello", .send = numbered(3'000) + "last words", .then_reset = true}},
                  .breaks = true,
                  .raw = true};
  at_any_event(play, [](const Witnessed& seen) {
    EXPECT_TRUE(seen.client_was_reset);
    EXPECT_FALSE(seen.client_saw_end) << "what was cut looks complete";
    EXPECT_TRUE(seen.client.ends_with("last words"));
  });
}

TEST(LoopbackResets, OfAClientInAWebSocketReachTheServer) {
  const Play play{.name = "websocket",
                  .client = {{.until = "", .send = request("GET /ws", upgrade_fields)},
                             {.until = "\r\n\r\n", .send = "last words", .then_reset = true}},
                  .origin = {{"\r\n\r\n", switching}},
                  .breaks_origin = true};
  at_any_event(play, [](const Witnessed& seen) {
    EXPECT_TRUE(seen.origin_was_reset);
    EXPECT_FALSE(seen.origin_saw_end) << "what was cut looks complete";
    EXPECT_TRUE(seen.origin.ends_with("last words"));
  });
}

TEST(LoopbackResets, OfAClientInAChunkedUploadReachTheServer) {
  const Play play{.name = "upload",
                  .client = {{.until = "",
                              .send = request("POST /", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n"},
                             {.until = "102 Processing\r\n\r\n", .send = "", .then_reset = true}},
                  .origin = {{"hello\r\n", "HTTP/1.1 102 Processing\r\n\r\n"}},
                  .breaks_origin = true};
  at_any_event(play, [](const Witnessed& seen) {
    EXPECT_TRUE(seen.origin_was_reset);
    EXPECT_FALSE(seen.origin_saw_end) << "what was cut looks complete";
  });
}

TEST(LoopbackResets, OfAServerInAResponseReachTheClientBehindWhatCame) {
  const Play play{.name = "response",
                  .client = {{.until = "", .send = request("GET /")}},
                  .origin = {{.until = "\r\n\r\n",
                              .send = "HTTP/1.1 200 OK\r\n\r\n" + numbered(3'000) + "last words",
                              .then_reset = true}},
                  .breaks = true};
  at_any_event(play, [](const Witnessed& seen) {
    EXPECT_TRUE(seen.client_was_reset);
    EXPECT_FALSE(seen.client_saw_end) << "what was cut looks complete";
    EXPECT_TRUE(seen.client.ends_with("last words"));
  });
}

}  // namespace
}  // namespace baton::proxy
