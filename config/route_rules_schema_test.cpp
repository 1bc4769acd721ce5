// What a route says about timeouts, limits, upgrades and the access log.
#include "config/route_rules_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

std::string with_route(const std::string& keys) {
  return minimal + "routes:\n  - { upstream: app, " + keys + " }\n";
}

Route route_having(const std::string& keys) {
  const Config config = config_of(with_route(keys));
  EXPECT_EQ(config_of(print(config)), config) << print(config);
  return config.routes.empty() ? Route{} : config.routes.front();
}

TEST(RouteRules, AreThoseOfAllRoutesUnlessItSaysSo) {
  const Route plain = route_having("name: a");
  EXPECT_EQ(plain.timeouts, RouteTimeouts{});
  EXPECT_EQ(plain.limits, RouteLimits{});
  EXPECT_EQ(plain.upgrades, std::vector<std::string>{"websocket"});
  EXPECT_EQ(plain.access_log, access_log_all);
}

TEST(RouteRules, MayBeItsOwn) {
  using std::chrono_literals::operator""ms;
  const Route route = route_having(
      "timeouts: { body: 1ms, send: 2ms, connect: 3ms, response: 4ms, response_body: 5ms, total: 6ms, tunnel_idle: 7ms "
      "}, "
      "limits: { body_bytes: 10m, buffer_bytes: 4k }, access_log: false");
  EXPECT_EQ(route.timeouts, (RouteTimeouts{1ms, 2ms, 3ms, 4ms, 5ms, 6ms, 7ms}));
  EXPECT_EQ(route.limits, (RouteLimits{10 * mebi, 4 * kibi}));
  EXPECT_EQ(route.access_log, 0);
}

TEST(RouteRules, AShareOfItsRequestsMayBeLogged) {
  EXPECT_EQ(route_having("access_log: 5%").access_log, 500);
  EXPECT_EQ(route_having("access_log: 0.25%").access_log, 25);
  EXPECT_EQ(route_having("access_log: 12.5%").access_log, 1250);
  EXPECT_EQ(route_having("access_log: 0%").access_log, 0);
  EXPECT_EQ(route_having("access_log: 100%").access_log, access_log_all);
}

TEST(RouteRules, ALimitMayBeLiftedForIt) {
  const Route route = route_having("timeouts: { total: 0 }, limits: { body_bytes: 0 }");
  EXPECT_EQ(route.timeouts.total, Milliseconds(0));
  EXPECT_EQ(route.limits.body_bytes, 0u);
}

TEST(RouteRules, UpgradesAreAListOrOneAndMayBeNone) {
  EXPECT_TRUE(route_having("upgrades: []").upgrades.empty());
  EXPECT_EQ(route_having("upgrades: WebSocket").upgrades, std::vector<std::string>{"websocket"});
  EXPECT_EQ(route_having("upgrades: [ websocket, SPDY/3.1, tcp ]").upgrades,
            (std::vector<std::string>{"websocket", "spdy/3.1", "tcp"}));
}

class RefusedRouteRules : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedRouteRules, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal route_rules_refusals[] = {
    {"GlobalTimeouts",
     with_route("timeouts: { head: 1s, shutdown: 1s }"),
     {"f:9:34: `head` cannot stand in `timeouts` of a route: a request has no route before its head is whole; set it "
      "in `timeouts` at the top level",
      "f:9:44: `shutdown` cannot stand in `timeouts` of a route: it is the time of the whole process"}},
    {"GlobalLimits",
     with_route("limits: { connections: 5, fields: 3 }"),
     {"f:9:32: `connections` cannot stand in `limits` of a route: a connection has no route; set it in `limits` at",
      "f:9:48: `fields` cannot stand in `limits` of a route: a request has no route before its head is whole"}},
    {"UnknownTimeout",
     with_route("timeouts: { respons: 1s }"),
     {"f:9:34: unknown key `respons` in `timeouts` of a route; did you mean `response`?"}},
    {"OutOfBounds",
     with_route("timeouts: { response: 0 }, limits: { buffer_bytes: 1k }"),
     {"f:9:44: `response`: ", "f:9:73: `buffer_bytes`: "}},
    {"Http2",
     with_route("upgrades: [ h2c, HTTP/2.0 ]"),
     {"f:9:34: `upgrades`: `h2c` never passes: requests inside such a tunnel could not be checked",
      "f:9:39: `upgrades`: `HTTP/2.0` never passes"}},
    {"NoProtocol",
     with_route("upgrades: [ \"\", a/b/c, \"web socket\", websocket, WEBSOCKET ]"),
     {"f:9:34: `upgrades`: `` is not the name of a protocol, as in `websocket` or `SPDY/3.1`",
      "f:9:38: `upgrades`: `a/b/c` is not the name", "f:9:45: `upgrades`: `web socket` is not the name",
      "f:9:70: `upgrades`: `websocket` appears twice"}},
    {"AccessLogShare0",
     with_route("access_log: 101%"),
     {"f:9:34: `access_log`: `101%` is not a share from 0% to 100%; write it like 5% or 0.25%"}},
    {"AccessLogShare1",
     with_route("access_log: 0.125%"),
     {"f:9:34: `access_log`: `0.125%` is not a share from 0% to 100%; write it like 5% or 0.25%"}},
    {"AccessLogShare2",
     with_route("access_log: 5.%"),
     {"f:9:34: `access_log`: `5.%` is not a share from 0% to 100%; write it like 5% or 0.25%"}},
    {"AccessLogShare4",
     with_route("access_log: -1%"),
     {"f:9:34: `access_log`: `-1%` is not a share from 0% to 100%; write it like 5% or 0.25%"}},
    {"AccessLog", with_route("access_log: off"), {"f:9:34: `access_log`: unknown value `off`"}},
};
INSTANTIATE_TEST_SUITE_P(Of, RefusedRouteRules, testing::ValuesIn(route_rules_refusals),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
