// Conditions besides host and path in a running process, before and after an upgrade or a reload.
#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

class RouteMatch : public Changed {
 protected:
  Settings with_routes(const std::string& routes) const {
    return with(listener("web", web), upstream("one", one) + upstream("two", two) + "routes:\n" + routes);
  }
  static void answer_as(Origin& server, const std::string& name) {
    for (const char* path : {"/who", "/u/7", "/u/x"}) {
      server.on(path, [name](Exchange& exchange) { exchange.respond(name); });
    }
  }
  void SetUp() override {
    answer_as(one, "one");
    answer_as(two, "two");
  }

  Origin one, two;
};

INSTANTIATE_TEST_SUITE_P(By, RouteMatch, testing::Values(Way::upgrade, Way::reload), name_of);

TEST_P(RouteMatch, EveryConditionCounts) {
  const std::string routes =
      "  - { match: { method: POST }, upstream: two }\n"
      "  - { match: { header: { x-canary: \"1\" } }, upstream: two }\n"
      "  - { match: { header: { x-forwarded-for: \"*\" } }, upstream: two }\n"
      "  - { match: { query: { beta: \"a b\" } }, upstream: two }\n"
      "  - { match: { path_regex: \"^/u/[0-9]+$\" }, upstream: two }\n"
      "  - { upstream: one }\n";
  Baton baton(with_routes(routes));
  Client client(web);
  const auto ask_all = [&] {
    EXPECT_EQ(client.get("/who").body, "one");
    EXPECT_EQ(client.post("/who", "x").body, "two");
    EXPECT_EQ(client.get("/who", "X-Canary: 1\r\n").body, "two");
    EXPECT_EQ(client.get("/who", "X-Canary: 2\r\n").body, "one");
    EXPECT_EQ(client.get("/who", "X-Forwarded-For: 10.0.0.1\r\n").body, "one") << "anybody can claim that";
    EXPECT_EQ(client.get("/who?b%65ta=a+b").body, "two");
    EXPECT_EQ(client.get("/who?beta=a").body, "one");
    EXPECT_EQ(client.get("/u/7").body, "two");
    EXPECT_EQ(client.get("/u/x").body, "one");
  };
  ask_all();
  change(baton, with_routes(routes));
  ask_all();
}

TEST_P(RouteMatch, TheClientIsThatOfTheConnectionWhereverItIsServed) {
  Baton baton(with_routes("  - { match: { client: 127.0.0.0/8 }, upstream: two }\n  - { upstream: one }\n"));
  Client client(web);
  EXPECT_EQ(client.get("/who").body, "two");
  change(baton, with_routes("  - { match: { client: 127.0.0.1 }, upstream: two }\n  - { upstream: one }\n"));
  EXPECT_EQ(client.get("/who").body, "two");
  change(baton,
         with_routes("  - { match: { client: [ 10.0.0.0/8, \"::1\" ] }, upstream: two }\n  - { upstream: one }\n"));
  EXPECT_EQ(client.get("/who").body, "one");
}

TEST_P(RouteMatch, ARequestNotYetSentTakesTheRouteOfNow) {
  Baton baton(with_routes("  - { match: { header: { x: a } }, upstream: one }\n  - { upstream: one }\n"));
  Client client(web);
  client.send("GET /who HTTP/1.1\r\nHost: a\r\nX:");
  baton.await_number("connections.head", 1);
  change(baton, with_routes("  - { match: { header: { x: a } }, upstream: two }\n  - { upstream: one }\n"));
  client.send(" a\r\n\r\n");
  EXPECT_EQ(client.response().body, "two");
}

}  // namespace
}  // namespace baton::harness
