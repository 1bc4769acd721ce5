// The rules of a route hold for its exchanges and for nothing else on the connection, whatever moves or reloads.
#include <gtest/gtest.h>

#include <string>

#include "proxy/engine/testing/exchange_cases.hpp"

namespace baton::engine {
namespace {

// A 502 that names the upstream of its route.
std::string bad_gateway() {
  const std::string body = "502 Bad Gateway: upstream app\n";
  std::string response = kept(502);
  response.replace(response.find("502 Bad Gateway\n"), std::string::npos, body);
  const std::string length = "Content-Length: ";
  return response.replace(response.find(length) + length.size(), 2, std::to_string(body.size()));
}

using std::chrono_literals::operator""ms;

// `/own/…` has rules of its own, everything else the global ones.
config::Config config_with(const config::Route& own) {
  config::Config config;
  config.log.access = config::AccessLog{};
  config.upstreams = {{.name = "app", .servers = {}, .tls = {}}};
  config.routes = {own, {.name = "rest", .upstream = "app", .where = {}}};
  config.routes[0].name = "own";
  config.routes[0].match.path_prefix = "/own";
  config.routes[0].upstream = "app";
  return config;
}

std::string put(const std::string& path, std::size_t bytes) {
  return "PUT " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

std::string upgrade(const std::string& path, const std::string& protocol, const std::string& method = "GET") {
  return method + " " + path + " HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: " + protocol + "\r\n\r\n";
}

config::Route slow_route() {
  config::Route own;
  own.timeouts.response = 11ms;
  own.timeouts.body = 12ms;
  own.timeouts.response_body = 13ms;
  own.timeouts.send = 14ms;
  return own;
}

TEST(RouteRules, TimeoutsHoldForItsExchangesOnly) {
  const routing::RouteTable table(config_with(slow_route()));
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &table;
    const auto left = [&] { return dialogue.deadline_ms() - dialogue.now_ms; };
    dialogue.take(client(put("/own", 2)));
    EXPECT_EQ(left(), 12);
    dialogue.take(client("ab"));
    EXPECT_EQ(left(), 11);
    dialogue.take(upstream("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"));
    EXPECT_EQ(left(), 13);
    dialogue.client_reads = false;
    dialogue.take(upstream("b"));
    EXPECT_EQ(left(), 14);
    dialogue.client_reads = true;
    dialogue.take(upstream(""));
    EXPECT_EQ(left(), dialogue.rules.idle_ms) << "between two requests";
    dialogue.take(client(put("/else", 0)));
    EXPECT_EQ(left(), dialogue.rules.response_ms);
    dialogue.take(upstream(ok_empty));
    dialogue.take(client(put("/own", 0)));
    dialogue.take(deadline);
    EXPECT_EQ(dialogue.seen().statuses, (std::vector<std::uint16_t>{200, 200, 504}));
  }
}

// A reload before each step. Before the request is sent it takes the rules of the route of now. Afterwards it keeps its
// route, whose numbers are those of now; if the route is gone, the global ones.
TEST(RouteRules, FollowAReloadAtAnyStep) {
  config::Config faster = config_with(slow_route());
  faster.routes[0].timeouts.response_body = 21ms;
  config::Config gone = config_with(slow_route());
  gone.routes[0].name = "other";
  gone.routes[0].match.path_prefix = "/other";
  const routing::RouteTable before(config_with(slow_route())), after(faster), without(gone);
  const Script script{client("PUT /own HTTP/1.1\r\nHo"),
                      client("st: a\r\nContent-Length: 1\r\n\r\n"),
                      connected,
                      client("b"),
                      upstream("HTTP/1.1 200 OK\r\nContent-Le"),
                      upstream("ngth: 2\r\n\r\nh")};
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    for (const auto& [to, expected] : {std::pair{&after, std::int64_t{21}}, {&without, Rules().response_body_ms}}) {
      for (std::size_t step = 0; step <= script.size(); ++step) {
        SCOPED_TRACE(testing::Message() << "a reload before step " << step);
        Dialogue dialogue(freezing);
        dialogue.routes = &before;
        dialogue.attempts = {Attempt::late, Attempt::late};
        for (std::size_t at = 0; at < script.size(); ++at) {
          if (at == step) dialogue.reconfigure(*to);
          dialogue.take(script[at]);
        }
        if (step == script.size()) dialogue.reconfigure(*to);
        EXPECT_EQ(dialogue.deadline_ms() - dialogue.now_ms, expected);
        dialogue.take(upstream("i"));
        EXPECT_EQ(dialogue.seen().statuses, std::vector<std::uint16_t>{200});
        EXPECT_EQ(dialogue.deadline_ms() - dialogue.now_ms, dialogue.rules.idle_ms);
      }
    }
  }
}

TEST(RouteRules, ABodyMayBeShorterOrLonger) {
  config::Route own;
  own.limits.body_bytes = 10;
  config::Config config = config_with(own);
  config.limits.body_bytes = 5;
  const routing::RouteTable table(config);
  const auto status_of = [&](const std::string& request) {
    Dialogue dialogue(Freezing::always);
    dialogue.routes = &table;
    dialogue.rules = routing::rules_of(config);
    dialogue.take(client(request));
    dialogue.take(upstream(ok_empty));
    return dialogue.seen().statuses.empty() ? 0 : dialogue.seen().statuses.front();
  };
  const std::string chunked = " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status_of(put("/own", 10) + "0123456789"), 200);
  EXPECT_EQ(status_of(put("/own", 11)), 413);
  EXPECT_EQ(status_of("PUT /own" + chunked + "a\r\n0123456789\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(status_of("PUT /own" + chunked + "b\r\n0123456789a\r\n0\r\n\r\n"), 413);
  EXPECT_EQ(status_of(put("/else", 5) + "01234"), 200);
  EXPECT_EQ(status_of(put("/else", 6)), 413);
  EXPECT_EQ(status_of("PUT /else" + chunked + "6\r\n012345\r\n0\r\n\r\n"), 413);
}

TEST(RouteRules, AnUploadKeepsTheLimitItBeganWith) {
  config::Config strict = config_with({});
  strict.routes[0].limits.body_bytes = 1;
  const routing::RouteTable before(config_with({})), after(strict);
  Dialogue dialogue(Freezing::always);
  dialogue.routes = &before;
  dialogue.take(client(put("/own", 4) + "ab"));
  dialogue.reconfigure(after);
  dialogue.take(client("cd"));
  dialogue.take(upstream(ok_empty));
  EXPECT_EQ(dialogue.seen().statuses, std::vector<std::uint16_t>{200});
}

TEST(RouteRules, ItsRequestsNeedNotBeLogged) {
  config::Route own;
  own.access_log = false;
  const config::Config config = config_with(own);
  const routing::RouteTable silent(config), loud(config_with({}));
  Dialogue dialogue(Freezing::always);
  dialogue.routes = &silent;
  dialogue.rules = routing::rules_of(config);
  dialogue.attempts = {Attempt::fresh, Attempt::fresh, Attempt::late};
  for (const char* path : {"/own", "/else"}) {
    dialogue.take(client(put(path, 0)));
    dialogue.take(upstream(ok_empty));
  }
  dialogue.take(client(put("/own", 0)));
  dialogue.reconfigure(loud);
  dialogue.take(upstream(ok_empty));
  ASSERT_EQ(dialogue.logged().size(), 3u);
  EXPECT_FALSE(dialogue.logged()[0].access);
  ASSERT_TRUE(dialogue.logged()[1].access);
  EXPECT_EQ(dialogue.logged()[1].access->request_line, "PUT /else HTTP/1.1");
  ASSERT_TRUE(dialogue.logged()[2].access) << "not yet sent when the route began to be logged";
  EXPECT_EQ(dialogue.logged()[2].access->request_line, "PUT /own HTTP/1.1");
}

config::Route with_upgrades(std::vector<std::string> protocols) {
  config::Route own;
  own.upgrades = std::move(protocols);
  return own;
}

const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";

TEST(RouteRules, OnlyListedUpgradesPass) {
  const routing::RouteTable none(config_with(with_upgrades({}))), tcp(config_with(with_upgrades({"tcp", "spdy/3.1"})));
  struct Case {
    const routing::RouteTable* table;
    std::string request;
    bool passes;
  };
  const Case cases[] = {{&none, upgrade("/own", "websocket"), false}, {&none, upgrade("/else", "websocket"), true},
                        {&tcp, upgrade("/own", "websocket"), false},  {&tcp, upgrade("/own", "tcp"), true},
                        {&tcp, upgrade("/own", "TCP", "POST"), true}, {&tcp, upgrade("/own", "SPDY/3.1"), true},
                        {&tcp, upgrade("/own", "SPDY/2"), false},     {&tcp, upgrade("/own", "h2c"), false},
                        {&tcp, upgrade("/own", "tcp, h2c"), false},   {&tcp, upgrade("/else", "tcp"), false}};
  for (const Case& one : cases) {
    for (const Freezing freezing : {Freezing::never, Freezing::always}) {
      SCOPED_TRACE(one.request);
      Dialogue dialogue(freezing);
      dialogue.routes = one.table;
      dialogue.take(client(one.request));
      const std::string& received = dialogue.seen().upstreams.at(0).received;
      EXPECT_EQ(received.find("Upgrade:") != std::string::npos, one.passes) << received;
      EXPECT_EQ(received.find("Connection: upgrade") != std::string::npos, one.passes) << received;
      dialogue.take(upstream(switching + "hello"));
      EXPECT_EQ(dialogue.seen().client, one.passes ? switching + "hello" : bad_gateway());
      if (!one.passes) continue;
      dialogue.take(client("anything"));
      EXPECT_TRUE(dialogue.seen().upstreams.at(0).received.ends_with("anything"));
    }
  }
}

TEST(RouteRules, ATunnelMayFollowARequestWithABodyOnceItHasEnded) {
  const routing::RouteTable table(config_with(with_upgrades({"tcp"})));
  for (const bool ends_first : {true, false}) {
    Dialogue dialogue(Freezing::always);
    dialogue.routes = &table;
    dialogue.take(
        client("POST /own HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{"));
    if (ends_first) dialogue.take(client("}"));
    dialogue.take(upstream(switching));
    EXPECT_EQ(dialogue.seen().client, ends_first ? switching : bad_gateway());
  }
}

TEST(RouteRules, ARequestNotYetSentMayUpgradeAsTheRouteOfNowSays) {
  const routing::RouteTable none(config_with(with_upgrades({}))), some(config_with({}));
  for (const auto& [from, to, passes] : {std::tuple{&none, &some, true}, {&some, &none, false}}) {
    Dialogue dialogue(Freezing::always);
    dialogue.routes = from;
    dialogue.attempts = {Attempt::late, Attempt::fresh};
    dialogue.take(client(upgrade("/own", "websocket")));
    dialogue.reconfigure(*to);
    dialogue.take(upstream(switching));
    EXPECT_EQ(dialogue.seen().client, passes ? switching : bad_gateway());
  }
}

// The tunnel has begun: it stays, and its silence is that of its route.
TEST(RouteRules, ATunnelHasTheSilenceOfItsRoute) {
  config::Route own;
  own.timeouts.tunnel_idle = 17ms;
  const routing::RouteTable table(config_with(own)), none(config_with(with_upgrades({})));
  for (const Freezing freezing : {Freezing::never, Freezing::always}) {
    Dialogue dialogue(freezing);
    dialogue.routes = &table;
    dialogue.take(client(upgrade("/own", "websocket")));
    dialogue.take(upstream(switching));
    EXPECT_EQ(dialogue.deadline_ms() - dialogue.now_ms, 17);
    dialogue.reconfigure(none);
    dialogue.take(upstream("still here"));
    EXPECT_TRUE(dialogue.seen().client.ends_with("still here"));
    EXPECT_EQ(dialogue.deadline_ms() - dialogue.now_ms, Rules().tunnel_idle_ms);
  }
}

// An answer of our own says whether the connection ends: it does if the body is longer than allowed.
TEST(RouteRules, AnswersAnnounceTheEndAfterABodyThatIsNotRead) {
  config::Route own;
  own.gate.access.allow = std::vector{config::parse_network("10.0.0.0/8").value()};
  own.limits.body_bytes = 10;
  config::Config config = config_with(own);
  config.limits.body_bytes = 100;
  config.routes[1].match.path = "/rest";
  const routing::RouteTable table(config);
  const auto answers = [&](const std::string& path, std::size_t bytes) {
    Dialogue dialogue;
    dialogue.rules = routing::rules_of(config);
    dialogue.routes = &table;
    dialogue.take(client(put(path, bytes)));
    return dialogue.seen().client;
  };
  EXPECT_EQ(answers("/own", 10), kept(403));
  EXPECT_EQ(answers("/own", 11), baton::engine::own(403)) << "by the limit of its route";
  EXPECT_EQ(answers("/none", 100), kept(404));
  EXPECT_EQ(answers("/none", 101), baton::engine::own(404)) << "by the one of all";
}

}  // namespace
}  // namespace baton::engine
