// Where a request goes, and what happens to an exchange whose route changes meanwhile: through a reload, or because a
// successor has another configuration.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

struct Rule {
  std::string name;
  config::Match match;
};

routing::RouteTable table_of(const std::vector<Rule>& rules) {
  config::Config config;
  for (const Rule& rule : rules) {
    config.upstreams.push_back({.name = rule.name, .servers = {}, .tls = {}});
    config.routes.push_back({.name = rule.name, .match = rule.match, .upstream = rule.name, .where = {}});
  }
  return routing::RouteTable(config);
}

std::string get_from(const std::string& host, const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

std::vector<std::string> routes_of(const Seen& seen) {
  std::vector<std::string> routes;
  for (const auto& upstream : seen.upstreams) routes.push_back(upstream.route);
  return routes;
}

using Names = std::vector<std::string>;

TEST(Routes, AreChosenForEachRequestOfAConnection) {
  const auto table = table_of({{"api", {.hosts = {"api.test"}}}, {"docs", {.path_prefix = "/docs"}}, {"rest", {}}});
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &table;
    for (const auto& [host, path] : {std::pair{"web.test", "/"}, {"API.test:80", "/docs"}, {"web.test", "/docs/x"}}) {
      dialogue.take(client(get_from(host, path)));
      dialogue.take(upstream(ok_empty));
    }
    EXPECT_EQ(routes_of(dialogue.seen()), (Names{"rest", "api", "docs"}));
    EXPECT_EQ(dialogue.seen().client, ok_empty + ok_empty + ok_empty);
  }
}

TEST(Routes, WhatNoneTakesIsNotFound) {
  const auto table = table_of({{"api", {.hosts = {"api.test"}}}});
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client(get_from("web.test", "/")));
  EXPECT_EQ(dialogue.seen().client, kept(404));
  EXPECT_TRUE(dialogue.seen().upstreams.empty());
  EXPECT_EQ(dialogue.seen().statuses, std::vector<std::uint16_t>{404});
}

TEST(Routes, TheWholeUrlOfATargetCountsInsteadOfTheHost) {
  const auto table = table_of({{"api", {.hosts = {"api.test"}}}, {"rest", {}}});
  Dialogue dialogue;
  dialogue.routes = &table;
  dialogue.take(client("GET http://api.test/ HTTP/1.1\r\nHost: web.test\r\n\r\n"));
  EXPECT_EQ(routes_of(dialogue.seen()), Names{"api"});
}

// A reload before each step of a dialogue in turn, and after the last. Until the request is sent it takes the new
// route; after that it completes on the old one.
TEST(Routes, AChangedRouteHoldsForWhatHasNotBeenSent) {
  const auto before = table_of({{"before", {}}});
  const auto after = table_of({{"after", {}}});
  const Script script{client("PUT / HTTP/1.1\r\nHo"), client("st: a\r\nContent-Length: 4\r\n\r\nbo"),
                      connected,                       client("dy"),
                      upstream("HTTP/1.1 200 OK\r\nContent-Le"), upstream("ngth: 2\r\n\r\nh"), upstream("i")};
  constexpr std::size_t steps_until_sent = 3;
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    for (std::size_t step = 0; step <= script.size(); ++step) {
      SCOPED_TRACE(testing::Message() << "a reload before step " << step);
      Dialogue dialogue(freezing);
      dialogue.routes = &before;
      dialogue.attempts = {Attempt::late, Attempt::late};
      for (std::size_t at = 0; at < script.size(); ++at) {
        if (at == step) dialogue.reconfigure(after);
        dialogue.take(script[at]);
      }
      if (step == script.size()) dialogue.reconfigure(after);
      EXPECT_EQ(routes_of(dialogue.seen()), Names{step < steps_until_sent ? "after" : "before"});
      EXPECT_EQ(dialogue.seen().client, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
      dialogue.take(client(get_from("a", "/")));
      dialogue.take(connected);
      EXPECT_EQ(dialogue.seen().upstreams.back().route, "after") << "the next request of the connection";
    }
  }
}

TEST(Routes, ARouteThatIsGoneBeforeTheRequestIsSentIsNotFound) {
  const auto before = table_of({{"app", {}}});
  const auto after = table_of({{"app", {.hosts = {"other.test"}}}});
  Dialogue dialogue;
  dialogue.routes = &before;
  dialogue.attempts = {Attempt::late};
  dialogue.take(client(get_from("a", "/")));
  dialogue.reconfigure(after);
  EXPECT_EQ(dialogue.seen().client, kept(404));
}

TEST(Routes, AnotherAttemptTakesTheRouteOfNow) {
  const auto before = table_of({{"before", {}}});
  const auto after = table_of({{"after", {}}});
  Dialogue dialogue;
  dialogue.routes = &before;
  dialogue.attempts = {Attempt::pooled};
  dialogue.take(client(get_from("a", "/")));
  dialogue.reconfigure(after);
  dialogue.take(upstream_resets);
  dialogue.take(upstream(ok_empty));
  EXPECT_EQ(routes_of(dialogue.seen()), (Names{"before", "after"}));
  EXPECT_EQ(dialogue.seen().client, ok_empty);
}

TEST(Routes, ATunnelStaysWhereItIs) {
  const auto before = table_of({{"before", {}}});
  const auto after = table_of({{"after", {}}});
  Dialogue dialogue(Freezing::always);
  dialogue.routes = &before;
  dialogue.take(client(request("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n")));
  dialogue.take(upstream("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"));
  dialogue.reconfigure(after);
  dialogue.take(upstream("still here"));
  EXPECT_TRUE(dialogue.seen().client.ends_with("still here"));
  EXPECT_EQ(dialogue.state().exchange->route, "before");
}

}  // namespace
}  // namespace baton::engine
