#include "proxy/routing/route_totals.hpp"

#include <gtest/gtest.h>

namespace baton::routing {
namespace {

RouteTable table(const std::vector<std::string>& names) {
  config::Config config;
  config.upstreams = {{.name = "app"}};
  for (const std::string& name : names) {
    config.routes.push_back({.name = name, .match = {.hosts = {name + ".example.com"}}, .upstream = "app"});
  }
  return RouteTable(config);
}

TEST(RouteTotals, AddUpWhatWorkersCount) {
  const RouteTable routes = table({"a", "b"});
  RouteTotals totals;
  RouteTally one, other;
  one.begin(routes);
  other.begin(routes);
  one.count(routes, *routes.named("a"), false);
  other.count(routes, *routes.named("a"), true);
  other.count(routes, *routes.named("b"), false);
  for (int i = 0; i < 2; ++i) {  // the second time there is nothing to add
    totals.take(routes, one);
    totals.take(routes, other);
  }
  EXPECT_EQ(totals.of("a").requests, 2U);
  EXPECT_EQ(totals.of("a").failures, 1U);
  EXPECT_EQ(totals.of("b").requests, 1U);
  EXPECT_EQ(totals.of("c").requests, 0U);
}

TEST(RouteTotals, GoOnInAnotherProcess) {
  const RouteTable routes = table({"a", "b"});
  RouteTotals predecessor, successor;
  RouteTally tally;
  tally.begin(routes);
  tally.count(routes, *routes.named("a"), true);
  predecessor.take(routes, tally);
  successor.restore(predecessor.save());
  tally.count(routes, *routes.named("a"), false);
  successor.take(routes, tally);
  EXPECT_EQ(successor.of("a").requests, 2U);
  // The predecessor counts until its last connection has moved, and then says so again.
  tally.count(routes, *routes.named("a"), false);
  tally.count(routes, *routes.named("b"), false);
  predecessor.take(routes, tally);
  successor.restore(predecessor.save());
  EXPECT_EQ(successor.of("a").requests, 3U);
  EXPECT_EQ(successor.of("a").failures, 1U);
  EXPECT_EQ(successor.of("b").requests, 1U);
}

TEST(RouteTotals, AreKeptByNameThroughAReload) {
  const RouteTable before = table({"a", "b"});
  const RouteTable after = table({"c", "b"});
  RouteTotals totals;
  RouteTally tally;
  tally.begin(before);
  tally.count(before, *before.named("a"), false);
  tally.count(before, *before.named("b"), false);
  totals.take(before, tally);
  totals.keep_only(after);
  EXPECT_EQ(totals.of("a").requests, 0U);
  EXPECT_EQ(totals.of("b").requests, 1U);
}

}  // namespace
}  // namespace baton::routing
