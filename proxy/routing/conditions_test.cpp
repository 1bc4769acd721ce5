// Methods, header, query, client and regular expressions: which requests meet them, and which route goes first.
#include "proxy/routing/conditions.hpp"

#include <gtest/gtest.h>

#include "proxy/routing/route_table.hpp"
#include "proxy/routing/testing/slow_routes.hpp"

namespace baton::routing {
namespace {

using config::Match;
using Asks = config::ValueCondition::Asks;
using test::Rest;

RouteTable table_of(const std::vector<Match>& matches) {
  config::Config config;
  config.upstreams = {{.name = "app"}};
  for (const Match& match : matches) {
    const char name = static_cast<char>('a' + config.routes.size());
    config.routes.push_back({.name = std::string(1, name), .match = match, .upstream = "app"});
  }
  return RouteTable(config);
}

std::string taken(const RouteTable& table, const Rest& rest, const std::string& target = "/") {
  Scratch scratch;
  const Route* route = table.find(rest.request("h", target), scratch);
  return route == nullptr ? "-" : route->name;
}

Rest with(std::vector<test::Field> fields, std::string method = "GET") {
  return {.method = std::move(method), .fields = std::move(fields), .query = {}, .client = {}};
}

state::SocketAddress address(std::array<std::uint8_t, 4> ip) {
  return {.family = state::Family::ipv4, .port = 80, .ip = {ip[0], ip[1], ip[2], ip[3]}};
}

TEST(Conditions, AMethodIsOneOfTheListInItsCase) {
  const RouteTable table = table_of({{.methods = {"GET", "HEAD"}}, {.methods = {"POST"}}, {}});
  EXPECT_EQ(taken(table, with({}, "GET")), "a");
  EXPECT_EQ(taken(table, with({}, "HEAD")), "a");
  EXPECT_EQ(taken(table, with({}, "POST")), "b");
  for (const char* other : {"get", "PUT", "GE", "GETS", ""}) EXPECT_EQ(taken(table, with({}, other)), "c") << other;
}

TEST(Conditions, AHeaderHasAValueOrIsThereOrNot) {
  const RouteTable table = table_of({{.headers = {{"x-canary", Asks::value, "1"}}},
                                     {.headers = {{"x-canary", Asks::value, "2"}}},
                                     {.headers = {{"x-canary", Asks::present, ""}}},
                                     {.headers = {{"cookie", Asks::absent, ""}}},
                                     {}});
  EXPECT_EQ(taken(table, with({{"X-CANARY", "1"}})), "a");
  EXPECT_EQ(taken(table, with({{"x-canary", "2"}})), "b");
  EXPECT_EQ(taken(table, with({{"x-canary", "3"}})), "c");
  EXPECT_EQ(taken(table, with({{"x-canary", ""}})), "c");
  EXPECT_EQ(taken(table, with({{"x-canary", "3"}, {"X-Canary", "2"}})), "b") << "any of them";
  EXPECT_EQ(taken(table, with({{"x-canary2", "1"}, {"y-canary", "1"}})), "d");
  EXPECT_EQ(taken(table, with({{"Cookie", "a"}})), "e");
}

TEST(Conditions, AQueryIsComparedDecoded) {
  const RouteTable table = table_of({{.queries = {{"q", Asks::value, "a b"}}},
                                     {.queries = {{"beta", Asks::value, ""}}},
                                     {.queries = {{"beta", Asks::present, ""}}},
                                     {.queries = {{"\xc3\xa9=", Asks::present, ""}}},
                                     {}});
  for (const char* target :
       {"/?q=a%20b", "/?q=a+b", "/?x&%71=%61%20b", "/?&&q=a+b&", "/?q=1&q=a+b", "http://h?q=a+b"}) {
    EXPECT_EQ(taken(table, with({}), target), "a") << target;
  }
  for (const char* target : {"/?beta", "/?beta=", "/?bet%61&c"})
    EXPECT_EQ(taken(table, with({}), target), "b") << target;
  EXPECT_EQ(taken(table, with({}), "/?beta=1"), "c");
  EXPECT_EQ(taken(table, with({}), "/?%c3%A9%3D=1"), "d");
  for (const char* target :
       {"/", "/?", "/?q=A+b", "/?Q=a+b", "/?q=a%2", "/?q=a%2520b", "/?betas", "/q=a+b", "/?x=beta"}) {
    EXPECT_EQ(taken(table, with({}), target), "e") << target;
  }
}

TEST(Conditions, AClientIsInOneOfTheRanges) {
  const RouteTable table =
      table_of({{.clients = {*config::parse_network("10.0.0.0/8"), *config::parse_network("192.0.2.1")}}, {}});
  EXPECT_EQ(taken(table, {.method = {}, .fields = {}, .query = {}, .client = address({10, 9, 8, 7})}), "a");
  EXPECT_EQ(taken(table, {.method = {}, .fields = {}, .query = {}, .client = address({192, 0, 2, 1})}), "a");
  EXPECT_EQ(taken(table, {.method = {}, .fields = {}, .query = {}, .client = address({192, 0, 2, 2})}), "b");
  const state::SocketAddress path{.family = state::Family::unix_path, .port = 0, .path = "10.0.0.1"};
  EXPECT_EQ(taken(table, {.method = {}, .fields = {}, .query = {}, .client = path}), "b");
  Scratch scratch;
  EXPECT_EQ(table.find({"h", "/"}, scratch)->name, "b") << "whose client is unknown";
}

TEST(Conditions, ARegularExpressionSeesTheWholePathInTheComparedForm) {
  const RouteTable table =
      table_of({{.path_regex = "^/u/[0-9]+$"}, {.path_regex = "secret"}, {.path_regex = "^/\xc3\xa9.x$"}, {}});
  for (const char* target : {"/u/1", "/u/12?a", "/./u//1", "/%75/%31"})
    EXPECT_EQ(taken(table, with({}), target), "a") << target;
  EXPECT_EQ(taken(table, with({}), "/%C3%A9%0Ax"), "c") << "a dot takes every byte";
  EXPECT_EQ(taken(table, with({}), "/%C3%A9%ffx"), "c");
  for (const char* target : {"/u/", "/u/1/", "/u/1%0A", "/x?secret", "*"})
    EXPECT_EQ(taken(table, with({}), target), "d") << target;
  const std::string long_path = "/%61" + std::string(5'000, 'b') + "/secret";
  EXPECT_EQ(taken(table, with({}), long_path), "b");
  EXPECT_EQ(taken(table, with({}), "/u/%31" + std::string(5'000, '1')), "a");
  EXPECT_EQ(taken(table, with({}), "/u/%31" + std::string(5'000, '1') + "x"), "d");
}

TEST(Conditions, TheOrderIsHostThenPathThenTheirNumberThenTheFile) {
  const RouteTable table = table_of({{},
                                     {.methods = {"GET"}},
                                     {.methods = {"GET"}, .headers = {{"x", Asks::present, ""}}},
                                     {.path_regex = "a", .methods = {"GET"}},
                                     {.path_prefix = "/a"},
                                     {.path = "/a/b", .methods = {"POST"}},
                                     {.hosts = {"h"}, .path = "/host", .headers = {{"x", Asks::value, "1"}}},
                                     {.headers = {{"x", Asks::value, "1"}}},
                                     {.path_regex = "^/b"},
                                     {.path_regex = "b$"}});
  EXPECT_EQ(taken(table, with({}, "PUT")), "a");
  EXPECT_EQ(taken(table, with({})), "b");
  EXPECT_EQ(taken(table, with({{"x", "1"}})), "c");
  EXPECT_EQ(taken(table, with({{"x", "1"}}, "PUT")), "h");
  EXPECT_EQ(taken(table, with({}), "/ba"), "d") << "with more conditions";
  EXPECT_EQ(taken(table, with({}), "/a/b"), "e") << "the exact path wants a POST";
  EXPECT_EQ(taken(table, with({}, "POST"), "/a/b"), "f");
  EXPECT_EQ(taken(table, with({{"x", "1"}}), "/host"), "g");
  EXPECT_EQ(taken(table, with({{"x", "2"}}), "/host"), "c") << "the search goes on with the next host";
  EXPECT_EQ(taken(table, with({}, "PUT"), "/bb"), "i") << "two regular expressions: the file's order";
}

TEST(Conditions, OneRoomServesManyTablesAndRequests) {
  const RouteTable one = table_of({{.headers = {{"x", Asks::value, "1"}}}, {}});
  const RouteTable two = table_of({{.headers = {{"y", Asks::present, ""}, {"x", Asks::absent, ""}}}, {}});
  Scratch scratch;
  scratch.search = UINT32_MAX - 2;
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(one.find(with({{"x", "1"}}).request("h", "/"), scratch)->name, "a");
    EXPECT_EQ(two.find(with({{"x", "1"}, {"y", "1"}}).request("h", "/"), scratch)->name, "b");
    EXPECT_EQ(one.find(with({}).request("h", "/"), scratch)->name, "b");
    EXPECT_EQ(two.find(with({{"y", ""}}).request("h", "/"), scratch)->name, "a");
  }
}

TEST(Conditions, WhyARouteIsTakenNamesThoseThatWerePassedOver) {
  const RouteTable table = table_of(
      {{.path = "/a", .methods = {"POST"}}, {.path_regex = "^/[a-z]$"}, {.path_prefix = "/a", .methods = {"PUT"}}});
  const Rest rest = with({});
  const auto reason = table.explain(rest.request("h", "/a"));
  EXPECT_EQ(reason.route, &table.routes()[1]);
  EXPECT_TRUE(reason.is_regex);
  ASSERT_EQ(reason.passed_over.size(), 2u);
  EXPECT_EQ(reason.passed_over[0], &table.routes()[0]);
  EXPECT_EQ(reason.passed_over[1], &table.routes()[2]);
}

// The name of each route that is never taken, and of the one that takes its requests.
std::string never_taken(const std::vector<Match>& matches) {
  config::Config config;
  for (const Match& match : matches) {
    config.routes.push_back(
        {.name = std::string(1, static_cast<char>('a' + config.routes.size())), .match = match, .upstream = "x"});
  }
  std::string names;
  const RouteTable table(config);
  for (const auto& [route, by] : table.shadowed(config)) names += route->name + by->name + " ";
  return names;
}

TEST(Shadowed, AreRoutesWhoseRequestsAnEarlierOneTakes) {
  const std::vector<config::ValueCondition> any{{"x", Asks::present, ""}}, one{{"x", Asks::value, "1"}};
  EXPECT_EQ(never_taken({{.hosts = {"a", "b"}}, {.hosts = {"b"}}}), "ba ");
  EXPECT_EQ(never_taken({{.hosts = {"a"}}, {.hosts = {"b"}}, {.hosts = {"a", "b"}}}), "cb ");
  EXPECT_EQ(never_taken({{.methods = {"GET", "HEAD"}}, {.methods = {"HEAD"}}}), "ba ");
  EXPECT_EQ(never_taken({{.headers = any}, {.headers = one}}), "ba ");
  EXPECT_EQ(never_taken({{.queries = any}, {.queries = one}}), "ba ");
  EXPECT_EQ(never_taken({{.clients = {*config::parse_network("10.0.0.0/8")}},
                         {.clients = {*config::parse_network("10.1.0.0/16")}}}),
            "ba ");
  EXPECT_EQ(never_taken({{.hosts = {"a", "b"}, .path_regex = "x"}, {.hosts = {"a"}, .path_regex = "x"}}), "ba ");
}

TEST(Shadowed, IsNoRouteThatIsTakenSomewhere) {
  const std::vector<config::ValueCondition> any{{"x", Asks::present, ""}}, one{{"x", Asks::value, "1"}},
      none{{"x", Asks::absent, ""}};
  EXPECT_EQ(never_taken({{.hosts = {"a", "b"}}, {.hosts = {"b", "c"}}}), "");
  EXPECT_EQ(never_taken({{.methods = {"GET"}}, {.methods = {"GET", "HEAD"}}, {}}), "");
  EXPECT_EQ(never_taken({{.headers = one}, {.headers = any}, {.headers = none}}), "");
  EXPECT_EQ(never_taken({{}, {.methods = {"GET"}}}), "") << "more conditions go first";
  EXPECT_EQ(never_taken({{.path_prefix = "/"}, {.path = "/a"}, {.path_prefix = "/a"}, {}}), "");
  EXPECT_EQ(never_taken({{.hosts = {"*.a"}}, {.hosts = {"b.a"}}}), "");
  EXPECT_EQ(never_taken({{.path_regex = "."}, {.path_regex = "a"}}), "") << "unknown";
  EXPECT_EQ(never_taken({{.queries = one}, {.headers = one}}), "");
}

}  // namespace
}  // namespace baton::routing
