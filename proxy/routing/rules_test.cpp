#include "proxy/routing/rules.hpp"

#include <gtest/gtest.h>

#include "proxy/routing/route_table.hpp"

namespace baton::routing {
namespace {

using std::chrono_literals::operator""ms;

TEST(Rules, OfADefaultConfigurationAreTheDefaults) {
  EXPECT_EQ(rules_of(config::Config()), Rules());
  EXPECT_EQ(rules_of(config::Route(), Rules()), Rules());
}

TEST(Rules, OfARouteAreTheGlobalOnesWhereItHasNone) {
  config::Config config;
  config.upstreams = {{.name = "app"}};
  config.timeouts.body = 1ms;
  config.timeouts.response = 2ms;
  config.limits.body_bytes = 3;
  config.limits.head_bytes = 4'096;
  config.log.access = config::AccessLog{};
  config.routes = {{.name = "a", .match = {.path = "/a"}, .upstream = "app"}, {.name = "b", .upstream = "app"}};
  config.routes[1].timeouts = {10ms, 11ms, 12ms, 13ms, 14ms, 15ms, 16ms};
  config.routes[1].limits = {17, 18};
  config.routes[1].access_log = false;
  const RouteTable table(config);
  const Rules global = rules_of(config);
  EXPECT_EQ(global.body_ms, 1);
  EXPECT_TRUE(global.keep_access);
  EXPECT_EQ(table.find("", "/a")->rules, global);
  Rules own = global;
  own.body_ms = 10;
  own.send_ms = 11;
  own.connect_ms = 12;
  own.response_ms = 13;
  own.response_body_ms = 14;
  own.total_ms = 15;
  own.tunnel_idle_ms = 16;
  own.body_bytes = 17;
  own.buffer_bytes = 18;
  own.keep_access = false;
  own.access_share = 0;
  EXPECT_EQ(table.find("", "/b")->rules, own);
}

TEST(Rules, NoRouteTurnsTheAccessLogOn) {
  config::Config config;
  config.routes = {{.upstream = "app"}};
  EXPECT_FALSE(RouteTable(config).find("", "/")->rules.keep_access);
}

TEST(Upgrades, PassInAnyCaseAndVersionUnlessOneIsNamed) {
  const Route route{.name = "", .upstream = "", .where = {}, .rules = {}, .upgrades = {"websocket", "spdy/3.1"}};
  for (const char* protocol : {"websocket", "WebSocket", "websocket/13", "SPDY/3.1"}) {
    EXPECT_TRUE(route.passes_upgrade_to(protocol)) << protocol;
  }
  for (const char* protocol : {"", "websockets", "web", "SPDY", "SPDY/3", "h2c"}) {
    EXPECT_FALSE(route.passes_upgrade_to(protocol)) << protocol;
  }
  EXPECT_FALSE(Route().passes_upgrade_to("websocket"));
}

}  // namespace
}  // namespace baton::routing
