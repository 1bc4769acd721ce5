// Conversations through a real worker, moved to another one after any event: each side must see the same bytes.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/worker/testing/loopback_plays.hpp"

namespace baton::proxy {
namespace {

constexpr std::size_t body_bytes = 150'000;

// Runs every play once undisturbed, and then again for every event after which something can be done.
void at_every_event(const std::function<void(Stage&, std::size_t since)>& act) {
  const Scene scene;
  for (const Play& play : plays(body_bytes)) {
    std::size_t events = 0;
    const Witnessed expected = Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; });
    ASSERT_TRUE(expected.finished) << play.name << " has stopped\nclient: " << expected.client.substr(0, 300)
                                   << "\norigin: " << expected.origin.substr(0, 300);
    ASSERT_TRUE(expected.client_saw_end) << play.name;
    for (std::size_t at = 1; at <= events; ++at) {
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

TEST(Loopback, MovedAfterAnyEventNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::adopted);
  });
}

TEST(Loopback, TakenBackAfterAnyEventNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::taken_back);
  });
}

TEST(Loopback, MovedThereAndBackNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0 || since == 2) stage.move(Outcome::adopted);
  });
}

TEST(Loopback, CopiesThatTheOldWorkerNeverClosesHoldUpNothing) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::adopted_and_copies_kept);
  });
}

TEST(Loopback, CopiesThatAHungNewWorkerNeverClosesHoldUpNothing) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.move(Outcome::taken_back_and_copies_kept);
  });
}

TEST(Loopback, ReloadedAfterAnyEventNothingIsLost) {
  at_every_event([](Stage& stage, std::size_t since) {
    if (since == 0) stage.serving().reconfigure(stage.settings(), nullptr);
  });
}

// So many bytes precede the second request that a reload stretches the limit for its head until they are consumed.
TEST(Loopback, ReloadedWhileMoreIsHereThanAHeadMayHaveNothingIsLost) {
  Scene scene;
  const auto small = std::make_shared<Settings>(*scene.settings);
  small->config.limits.head_bytes = small->config.limits.buffer_bytes = 1024;
  small->rules = routing::rules_of(small->config);
  small->routes = routing::RouteTable(small->config);
  scene.settings = small;
  const std::string get = "GET / HTTP/1.1\r\nHost: even.test\r\n\r\n";
  std::string before(get);
  while (before.size() < scene.settings->rules.head_bytes) before += "\r\n";
  const std::string put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\nConnection: close\r\n\r\n";
  const Play play{.name = "a request, many empty lines, and another",
                  .client = {{.until = "", .send = before + put + std::string(900, 'z')}},
                  .origin = {{.until = "\r\n\r\n", .send = ok + "Content-Length: 5\r\n\r\nfirst"},
                             {.until = std::string(900, 'z'), .send = ok + "Content-Length: 6\r\n\r\nsecond"}},
                  .closes = true};
  std::size_t events = 0;
  const Witnessed expected = Stage(play, scene).run([&](std::size_t count, Stage&) { events = count; });
  ASSERT_TRUE(expected.client.ends_with("second")) << expected.client;
  for (std::size_t at = 1; at <= events; ++at) {
    const Witnessed seen = Stage(play, scene).run([&](std::size_t count, Stage& stage) {
      if (count == at) stage.serving().reconfigure(scene.settings, nullptr);
    });
    ASSERT_TRUE(seen == expected) << "a reload after event " << at << " of " << events << "\n" << seen.client;
  }
}

// A move causes an event for each socket, so moving at every third event leaves room for progress between moves.
TEST(Loopback, MovedAgainAndAgainNothingIsLost) {
  const Scene scene;
  for (const Play& play : plays(body_bytes)) {
    const Witnessed expected = Stage(play, scene).run([](std::size_t, Stage&) {});
    const Witnessed seen = Stage(play, scene).run([](std::size_t events, Stage& stage) {
      if (events % 3 == 0) stage.move(events % 2 == 0 ? Outcome::adopted : Outcome::taken_back);
    });
    ASSERT_TRUE(seen == expected) << play.name;
  }
}

}  // namespace
}  // namespace baton::proxy
