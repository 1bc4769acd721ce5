#include "proxy/routing/tcp_routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace baton::routing {
namespace {

state::SocketAddress address(std::uint8_t first) {
  state::SocketAddress address;
  address.family = state::Family::ipv4;
  address.ip[0] = first;
  return address;
}

std::vector<config::Network> network(const char* text) {
  return {config::parse_network(text).value()};
}

std::string chosen(const TcpRoutes& routes, std::string_view name, const std::vector<std::string>& alpn = {},
                   std::uint8_t client = 192) {
  const TcpRoutes::Choice* const choice = routes.choose(name, alpn, address(client));
  return choice != nullptr ? choice->upstream : "none";
}

config::TcpRoute route(const std::string& upstream, config::TcpMatch match) {
  return {std::move(match), upstream, {}, {}};
}

TEST(TcpRoutes, TheMostSpecificNameWinsWhateverTheOrder) {
  std::vector<config::TcpRoute> routes{route("any", {.client = network("0.0.0.0/0")}),
                                       route("wide", {.sni = {"*.example"}}), route("narrow", {.sni = {"*.b.example"}}),
                                       route("exact", {.sni = {"a.b.example", "example"}})};
  for (int turn = 0; turn < 2; ++turn) {
    const TcpRoutes table(routes);
    EXPECT_EQ(chosen(table, "a.b.example"), "exact");
    EXPECT_EQ(chosen(table, "example"), "exact");
    EXPECT_EQ(chosen(table, "c.b.example"), "narrow");
    EXPECT_EQ(chosen(table, "x.c.b.example"), "narrow");
    EXPECT_EQ(chosen(table, "b.example"), "wide") << "a wildcard does not take its own name";
    EXPECT_EQ(chosen(table, "notexample"), "any");
    EXPECT_EQ(chosen(table, ""), "any");
    std::ranges::reverse(routes);
  }
}

TEST(TcpRoutes, ThenTheMostConditionsThenTheFirst) {
  const TcpRoutes table({route("first", {.sni = {"a"}, .alpn = {"h2"}}),
                         route("second", {.sni = {"a"}, .client = network("10.0.0.0/8")}),
                         route("both", {.sni = {"a"}, .alpn = {"h2", "x"}, .client = network("10.0.0.0/8")}),
                         route("plain", {.sni = {"a"}})});
  EXPECT_EQ(chosen(table, "a", {"http/1.1", "x"}, 10), "both");
  EXPECT_EQ(chosen(table, "a", {"h2"}, 192), "first");
  EXPECT_EQ(chosen(table, "a", {"http/1.1"}, 10), "second");
  EXPECT_EQ(chosen(table, "a", {}, 192), "plain");
  EXPECT_EQ(chosen(table, "b", {"h2"}, 10), "none");
}

TEST(TcpRoutes, TheOneThatTakesAConnectionSaysWhoMayConnect) {
  config::TcpRoute closed = route("a", {.sni = {"a"}});
  closed.access.deny = network("10.0.0.0/8");
  const TcpRoutes table({closed, route("b", {.sni = {"b"}})});
  EXPECT_FALSE(table.choose("a", {}, address(10))->access.admits(address(10)));
  EXPECT_TRUE(table.choose("a", {}, address(192))->access.admits(address(192)));
  EXPECT_TRUE(table.choose("b", {}, address(10))->access.admits(address(10)));
}

TEST(TcpRoutes, TheHelloMattersOnlyWhereItIsNamed) {
  EXPECT_FALSE(TcpRoutes().need_hello());
  EXPECT_FALSE(TcpRoutes({route("a", {.client = network("10.0.0.0/8")})}).need_hello());
  EXPECT_TRUE(TcpRoutes({route("a", {.sni = {"a"}})}).need_hello());
  EXPECT_TRUE(TcpRoutes({route("a", {.alpn = {"h2"}})}).need_hello());
}

}  // namespace
}  // namespace baton::routing
