// The rules of a route in a running process: timeouts, limits, upgrades, the access log.
#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

class RouteRules : public Changed {
 protected:
  // `own` are the keys of the route of /own/…; the rest has the defaults.
  Settings with_own(const std::string& own) const {
    Settings settings =
        with(listener("web", web), upstream("app", origin) + "routes:\n" +
                                       "  - { name: own, match: { path_prefix: /own }, upstream: app" +
                                       (own.empty() ? "" : ", " + own) + " }\n" + "  - { upstream: app }\n");
    settings.log = "access: { path: \"-\", format: json }";
    return settings;
  }

  void SetUp() override {
    const auto held = [](Exchange& exchange) {
      exchange.origin.gate().pass();
      exchange.respond("late");
    };
    origin.on("/own/held", held);
    origin.on("/own/websocket", [](Exchange& exchange) {
      if (!exchange.request.field("Upgrade")) return exchange.respond("no upgrade");
      exchange.close = true;
      exchange.stream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " +
                           *exchange.request.field("Upgrade") + "\r\n\r\n");
      while (exchange.stream.await_bytes_forever()) exchange.stream.send(exchange.stream.read_available());
    });
    origin.on("/own/count", [](Exchange& exchange) {
      exchange.read_body();
      exchange.respond(std::to_string(exchange.request.body.size()));
    });
    origin.on("/own/who", [](Exchange& exchange) { exchange.respond("own"); });
  }
};

INSTANTIATE_TEST_SUITE_P(By, RouteRules, testing::Values(Way::upgrade, Way::reload), name_of);

// The request moves, or is reloaded, while it waits; then its time is over.
TEST_P(RouteRules, ATimeoutIsThatOfTheRouteAlsoAfterAChange) {
  Baton baton(with_own("timeouts: { response: 1h }"));
  Client waiting(web), other(web);
  waiting.send(get_request("/own/held"));
  other.send(get_request("/held"));
  origin.gate().await_arrivals(2);
  change(baton, with_own("timeouts: { response: 1ms }"));
  EXPECT_EQ(waiting.response().status(), 504);
  origin.gate().open();
  EXPECT_EQ(other.response().body, "held") << "a request of another route";
}

TEST_P(RouteRules, ALimitOnBodiesIsThatOfTheRoute) {
  Baton baton(with_own("limits: { body_bytes: 1k }"));
  Client client(web);
  EXPECT_EQ(client.post("/own/count", pattern(1024)).body, "1024");
  EXPECT_EQ(client.post("/count", pattern(5000)).body, "5000 as sent");
  const std::string whole = post_request("/own/count", pattern(1024));
  client.send(whole.substr(0, whole.size() - 500));
  origin.await_requests(3);
  change(baton, with_own("limits: { body_bytes: 10 }"));
  client.send(whole.substr(whole.size() - 500));
  EXPECT_EQ(client.response().body, "1024") << "it keeps the limit that it began with";
  client.send("POST /own/count HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(client.response().status(), 413);
}

TEST_P(RouteRules, OnlyListedUpgradesPass) {
  const auto upgrade = [](const std::string& protocol) {
    return get_request("/own/websocket", "Connection: Upgrade\r\nUpgrade: " + protocol + "\r\n");
  };
  Baton baton(with_own("upgrades: [ chat ]"));
  Client websocket(web), chat(web), h2c(web);
  websocket.send(upgrade("websocket"));
  EXPECT_EQ(websocket.response().body, "no upgrade");
  h2c.send(upgrade("h2c"));
  EXPECT_EQ(h2c.response().body, "no upgrade");
  chat.send(upgrade("chat"));
  EXPECT_EQ(chat.response().status(), 101);
  chat.send("hello");
  EXPECT_EQ(chat.read_exactly(5), "hello");
  change(baton, with_own("upgrades: []"));
  chat.send("still here");
  EXPECT_EQ(chat.read_exactly(10), "still here");
  Client late(web);
  late.send(upgrade("chat"));
  EXPECT_EQ(late.response().body, "no upgrade");
}

TEST_P(RouteRules, ItsRequestsNeedNotBeLogged) {
  Baton baton(with_own("access_log: false"));
  Client client(web), moving(web);
  moving.send(get_request("/own/held"));
  origin.gate().await_arrivals(1);
  EXPECT_EQ(client.get("/own/who").body, "own");
  change(baton, with_own("access_log: false"));
  origin.gate().open();
  EXPECT_EQ(moving.response().body, "late");
  client.get("/bytes/1");
  baton.await_access_log(std::regex("GET /bytes/1 "));
  EXPECT_EQ(baton.access_log().find("/own/"), std::string::npos) << baton.access_log();
}

}  // namespace
}  // namespace baton::harness
