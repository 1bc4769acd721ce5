#include "proxy/routing/route_table.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <utility>

#include "config/load.hpp"
#include "proxy/routing/testing/slow_routes.hpp"

namespace baton::routing {
namespace {

using config::Match;

// Routes whose names are the letters of the alphabet.
RouteTable table_of(const std::vector<Match>& matches) {
  config::Config config;
  config.upstreams = {{.name = "app"}};
  for (const Match& match : matches) {
    const char name = static_cast<char>('a' + config.routes.size());
    config.routes.push_back({.name = std::string(1, name), .match = match, .upstream = "app"});
  }
  return RouteTable(config);
}

// The name of the route that is taken; "-": none.
std::string taken(const RouteTable& table, std::string_view host, std::string_view target) {
  const Route* route = table.find(host, target);
  return route == nullptr ? "-" : route->name;
}

TEST(RouteTable, HasNoRouteAtFirst) {
  EXPECT_EQ(RouteTable().find("a", "/"), nullptr);
  EXPECT_EQ(RouteTable().named("*"), nullptr);
  EXPECT_EQ(RouteTable(config::Config()).find("a", "/"), nullptr);
}

TEST(RouteTable, GivesEverythingToTheOnlyRoute) {
  const RouteTable table = table_of({{}});
  for (const std::string_view host : {"", "a.b:80", "[::1]"}) {
    for (const std::string_view target : {"/", "/a?b", "*", "http://c/d"}) EXPECT_EQ(taken(table, host, target), "a");
  }
}

TEST(RouteTable, KnowsOfARouteWhatTheConfigurationSays) {
  config::Config config;
  config.upstreams = {{.name = "app"}, {.name = "api"}};
  config.routes = {{.match = {.path_prefix = "/v1"}, .upstream = "api", .where = {"f", 3, 5}},
                   {.name = "rest", .upstream = "app", .where = {"f", 5, 5}}};
  const RouteTable table(config);
  const Route& api = *table.find("a", "/v1/b");
  EXPECT_EQ(api.name, "/v1/*");
  EXPECT_EQ(api.upstream, "api");
  EXPECT_EQ(api.upstream_index, 1u);
  EXPECT_EQ(api.where, (config::Position{"f", 3, 5}));
  EXPECT_EQ(table.named("/v1/*"), &api);
  EXPECT_EQ(table.named("rest"), table.find("a", "/v2"));
  EXPECT_EQ(table.named("/v1"), nullptr);
  EXPECT_EQ(table.routes().size(), 2u);
}

TEST(RouteTable, LivesOnInACopy) {
  auto table = std::make_unique<RouteTable>(table_of({{.hosts = {"a.b"}, .path = "/a"}, {}}));
  const RouteTable copy = *table;
  table.reset();
  EXPECT_EQ(taken(copy, "a.b", "/a"), "a");
  EXPECT_EQ(taken(copy, "a.b", "/b"), "b");
}

TEST(RouteTable, TakesTheMostSpecificHost) {
  const RouteTable table = table_of(
      {{}, {.hosts = {"*.com"}}, {.hosts = {"*.b.com"}}, {.hosts = {"a.b.com"}}, {.hosts = {"[::1]", "10.0.0.1"}}});
  EXPECT_EQ(taken(table, "a.b.com", "/"), "d");
  EXPECT_EQ(taken(table, "x.b.com", "/"), "c");
  EXPECT_EQ(taken(table, "y.x.b.com", "/"), "c");
  EXPECT_EQ(taken(table, "b.com", "/"), "b");
  EXPECT_EQ(taken(table, "ab.com", "/"), "b");
  EXPECT_EQ(taken(table, "com", "/"), "a");
  EXPECT_EQ(taken(table, ".com", "/"), "a");
  EXPECT_EQ(taken(table, "a.b.com.org", "/"), "a");
  EXPECT_EQ(taken(table, "10.0.0.1", "/"), "e");
  EXPECT_EQ(taken(table, "10.0.0.10", "/"), "a");
}

TEST(RouteTable, TakesAHostInAnyOfItsForms) {
  const RouteTable table = table_of({{}, {.hosts = {"a.b"}}, {.hosts = {"*.c"}}, {.hosts = {"[2001:db8::1]"}}});
  for (const std::string_view host : {"a.b", "A.b", "a.b.", "A.B.:8080", "a.b:"}) {
    EXPECT_EQ(taken(table, host, "/"), "b") << host;
  }
  EXPECT_EQ(taken(table, "X.C:1", "/"), "c");
  for (const std::string_view host : {"[2001:db8::1]", "[2001:DB8:0:0::0001]:443"}) {
    EXPECT_EQ(taken(table, host, "/"), "d") << host;
  }
  for (const std::string_view host : {"", ".", ":80", "a.b..", "[", "[]", "[::1", "[x]", "2001:db8::1", "a%2eb"}) {
    EXPECT_EQ(taken(table, host, "/"), "a") << host;
  }
}

TEST(RouteTable, ComparesLettersWithoutCaseAndNothingElse) {
  const std::string all_letters = "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz";
  const RouteTable table = table_of({{}, {.hosts = {all_letters}}, {.hosts = {"*.0.9.host"}}});
  EXPECT_EQ(taken(table, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.abcdefghijklmnopqrstuvwxyz", "/"), "b");
  EXPECT_EQ(taken(table, "abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJKLMNOPQRSTUVWXYZ", "/"), "b");
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (c == ':') continue;
    for (std::size_t at = 0; at < 11; ++at) {
      std::string host = "abc.0.9.host";
      const char before = std::exchange(host[at], c);
      const bool is_host = at < 3 || c == before || (at > 7 && (c | 0x20) == before && (c & 0xc0) == 0x40);
      EXPECT_EQ(taken(table, host, "/"), is_host ? "c" : "a") << byte << " at " << at;
    }
  }
}

// The end of a name too long for DNS counts all the same; otherwise it would bypass a wildcard.
TEST(RouteTable, TakesTheEndOfAHostThatIsTooLong) {
  const RouteTable table = table_of({{}, {.hosts = {"*.b.com"}}, {.hosts = {std::string(253, 'a')}}});
  EXPECT_EQ(taken(table, std::string(5000, 'a') + ".b.com", "/"), "b");
  EXPECT_EQ(taken(table, std::string(253, 'a'), "/"), "c");
  EXPECT_EQ(taken(table, std::string(5000, 'a'), "/"), "a");
}

TEST(RouteTable, TakesTheMostSpecificPath) {
  const RouteTable table = table_of({{},
                                     {.path_prefix = "/"},
                                     {.path_prefix = "/v1"},
                                     {.path_prefix = "/v1/users"},
                                     {.path = "/v1"},
                                     {.path = "/v1/users/"},
                                     {.path_prefix = "/v1-b"}});
  EXPECT_EQ(taken(table, "h", "/"), "b");
  EXPECT_EQ(taken(table, "h", "/v"), "b");
  EXPECT_EQ(taken(table, "h", "/v11"), "b");
  EXPECT_EQ(taken(table, "h", "/v1"), "e");
  EXPECT_EQ(taken(table, "h", "/v1?a=/v1/users"), "e");
  EXPECT_EQ(taken(table, "h", "/v1/"), "c");
  EXPECT_EQ(taken(table, "h", "/v1/usersx"), "c");
  EXPECT_EQ(taken(table, "h", "/v1/a/users"), "c");
  EXPECT_EQ(taken(table, "h", "/v1/users"), "d");
  EXPECT_EQ(taken(table, "h", "/v1/users/1"), "d");
  EXPECT_EQ(taken(table, "h", "/v1/users/"), "f");
  EXPECT_EQ(taken(table, "h", "/v1-b"), "g");
  EXPECT_EQ(taken(table, "h", "/v1-b/c"), "g");
  EXPECT_EQ(taken(table, "h", "/v1-bc"), "b");
  EXPECT_EQ(taken(table, "h", "/V1"), "b");
}

TEST(RouteTable, LetsNoSpellingOfAPathGetPastItsRoute) {
  const RouteTable table = table_of({{}, {.path_prefix = "/admin"}, {.path_prefix = "/v1"}, {.path = "/a b"}});
  for (const std::string_view target : {"/v1/../admin", "/%61dmin/x", "//admin", "/./admin", "/x/%2e%2e/admin",
                                        "/x%2F..%2fadmin", "/v1//..//admin/?a"}) {
    EXPECT_EQ(taken(table, "h", target), "b") << target;
  }
  EXPECT_EQ(taken(table, "h", "/%76%31"), "c");
  EXPECT_EQ(taken(table, "h", "/admin/../v1"), "c");
  EXPECT_EQ(taken(table, "h", "/a%20b"), "d");
}

TEST(RouteTable, LooksAtTheHostBeforeThePath) {
  const RouteTable table = table_of(
      {{.path = "/x"}, {.hosts = {"*.com"}}, {.hosts = {"a.com"}, .path_prefix = "/x"}, {.path_prefix = "/y"}});
  EXPECT_EQ(taken(table, "a.com", "/x"), "c");
  EXPECT_EQ(taken(table, "b.com", "/x"), "b");
  EXPECT_EQ(taken(table, "b.org", "/x"), "a");
  // A host's own routes need not take all of its requests.
  EXPECT_EQ(taken(table, "a.com", "/y"), "b");
  EXPECT_EQ(taken(table, "b.org", "/y"), "d");
  EXPECT_EQ(taken(table, "b.org", "/z"), "-");
}

TEST(RouteTable, TakesTheFirstOfTheFileAmongEquals) {
  const RouteTable table = table_of({{.hosts = {"b", "a"}}, {.hosts = {"b", "c"}}, {.hosts = {"c", "d"}}});
  EXPECT_EQ(taken(table, "b", "/"), "a");
  EXPECT_EQ(taken(table, "c", "/"), "b");
  EXPECT_EQ(taken(table, "d", "/"), "c");
}

TEST(RouteTable, TakesHostAndPathFromAnAbsoluteTarget) {
  const RouteTable table = table_of({{}, {.hosts = {"a.b"}}, {.hosts = {"a.b"}, .path = "/"}, {.hosts = {"c"}}});
  EXPECT_EQ(taken(table, "c", "http://A.B:80/x"), "b");
  EXPECT_EQ(taken(table, "c", "https://a.b"), "c");
  EXPECT_EQ(taken(table, "c", "http://a.b?x"), "c");
  EXPECT_EQ(taken(table, "a.b", "http://c/"), "d");
  EXPECT_EQ(taken(table, "c", "/http://a.b/"), "d");
}

TEST(RouteTable, TakesWhatHasNoHostOnlyWithoutOne) {
  const RouteTable table = table_of({{.hosts = {"*.a"}}, {.path = "/b"}});
  EXPECT_EQ(taken(table, "", "/b"), "b");
  EXPECT_EQ(taken(table, "", "/c"), "-");
}

TEST(RouteTable, TakesWhatHasNoPathOnlyWithoutOne) {
  const RouteTable table = table_of({{.path_prefix = "/"}, {.hosts = {"a"}}});
  for (const std::string_view target : {"*", "", "a:80"}) {
    EXPECT_EQ(taken(table, "a", target), "b") << target;
    EXPECT_EQ(taken(table, "b", target), "-") << target;
  }
}

TEST(RouteTable, SaysWhyARouteIsTaken) {
  const RouteTable table = table_of({{.hosts = {"*.b.c"}, .path_prefix = "/v1"}, {.hosts = {"a"}, .path = "/x"}, {}});
  RouteTable::Reason reason = table.explain("Y.X.B.C.:80", "/./v1/%61?b");
  EXPECT_EQ(reason.route, &table.routes()[0]);
  EXPECT_EQ(reason.host, "y.x.b.c");
  EXPECT_EQ(reason.path, "/v1/a");
  EXPECT_EQ(reason.host_rule, "*.b.c");
  EXPECT_EQ(reason.path_rule, "/v1");
  EXPECT_TRUE(reason.is_prefix);
  reason = table.explain("a", "/x");
  EXPECT_EQ(reason.host_rule, "a");
  EXPECT_EQ(reason.path_rule, "/x");
  EXPECT_FALSE(reason.is_prefix);
  reason = table.explain("a", "/v1");
  EXPECT_EQ(reason.route, &table.routes()[2]);
  EXPECT_EQ(reason.host_rule + reason.path_rule, "");
  EXPECT_FALSE(reason.is_prefix);
  EXPECT_EQ(table_of({}).explain("a", "/").route, nullptr);
}

TEST(RouteTable, TakesWhatTryingAllOfThemTakes) {
  constexpr std::string_view hosts[] = {"a",     "A.",    "b.a", "c.b.a",     "d.c.b.a",  "x.com:80",
                                        "z.com", "[::1]", "com", "[::1]:443", "[0:0::1]", "10.0.0.1",
                                        "b-a.a", "",      ".a",  "e.b-a.a",   "b.a:1",    "1.10.0.0.1"};
  constexpr std::string_view pieces[] = {"/a", "/b",   "/c",  "/",    "/..", "/.", "a",
                                         "-b", "/%61", "%2f", "%20b", "?",   "b"};
  std::mt19937 engine(7);
  const auto random = [&](std::size_t end) { return engine() % end; };
  Scratch scratch;
  for (int round = 0; round < 3'000; ++round) {
    const config::Config config = test::random_routes(random);
    const RouteTable table(config);
    for (int i = 0; i < 40; ++i) {
      const std::string_view host = hosts[random(std::size(hosts))];
      std::string target = "/";
      for (std::size_t count = random(6); count > 0; --count) target += pieces[random(std::size(pieces))];
      const test::Rest rest = test::random_rest(random);
      if (target.find('?') == std::string::npos && !rest.query.empty()) target += "?" + rest.query;
      const std::size_t mark = target.find('?');
      test::Rest asked = rest;
      asked.query = mark == std::string::npos ? "" : target.substr(mark + 1);
      const config::Route* expected =
          test::slowly_found(config.routes, test::slowly_matched_host(host), config::slowly_matched(target), asked);
      const Request request = asked.request(host, target);
      const Route* found = table.find(request, scratch);
      ASSERT_EQ(found == nullptr ? "-" : found->name, expected == nullptr ? "-" : expected->name)
          << host << " " << target << " " << asked.method << " " << asked.client.text() << "\n"
          << config::print(config);
      ASSERT_EQ(table.explain(request).route, found) << host << " " << target;
      const std::string absolute = "http://" + std::string(host) + target;
      ASSERT_EQ(table.find(asked.request("other", absolute), scratch), found) << absolute;
    }
  }
}

}  // namespace
}  // namespace baton::routing
