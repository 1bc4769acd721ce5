// Routes: what loads and to which values, what is refused, and what prints and reads back.
#include "config/route_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

// Five lines, with the upstreams `app` and `api`; then `routes:` in line 6 and its entries from line 7 on.
std::string with_routes(const std::string& entries) {
  return "version: 1\n"
         "listeners: [ { name: web, bind: \":80\" } ]\n"
         "upstreams:\n"
         "  - { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] }\n"
         "  - { name: api, servers: [ { address: \"127.0.0.1:9001\" } ] }\n"
         "routes:\n" +
         entries;
}

TEST(Routes, ArriveInTheOrderOfTheFile) {
  const std::string yaml = with_routes(
      "  - name: api\n"
      "    match: { host: [ API.example.com., \"*.api.example.com\" ], path_prefix: /v1/ }\n"
      "    upstream: api\n"
      "  - match: { host: \"::1\", path: /status }\n"
      "    upstream: api\n"
      "  - upstream: app\n");
  const Config config = config_of(yaml);
  const Route api{.name = "api",
                  .match = {.hosts = {"api.example.com", "*.api.example.com"}, .path_prefix = "/v1"},
                  .upstream = "api"};
  const Route status{.match = {.hosts = {"[::1]"}, .path = "/status"}, .upstream = "api"};
  EXPECT_EQ(config.routes, (std::vector<Route>{api, status, {.upstream = "app"}}));
  EXPECT_EQ(config.routes[1].where, (Position{"f", 10, 5}));
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_THAT(
      print(config),
      testing::HasSubstr("routes:\n"
                         "  - name: \"api\"\n"
                         "    match: { host: [\"api.example.com\", \"*.api.example.com\"], path_prefix: \"/v1\" }\n"
                         "    upstream: \"api\"\n"
                         "  - match: { host: [\"[::1]\"], path: \"/status\" }\n"
                         "    upstream: \"api\"\n"
                         "  - upstream: \"app\"\n"));
}

TEST(Routes, NeedNoneForTheRestOfTheRequests) {
  EXPECT_EQ(config_of(with_routes("  - { match: { host: a }, upstream: app }\n")).routes.size(), 1u);
}

TEST(Routes, AreCalledByTheirMatchUnlessTheyHaveAName) {
  const Config config =
      config_of(with_routes("  - { match: { path: /a }, upstream: app }\n"
                            "  - { name: b, match: { path: /b }, upstream: app }\n"));
  EXPECT_EQ(config.routes[0].label(), "/a");
  EXPECT_EQ(config.routes[1].label(), "b");
}

TEST(Routes, DifferWhereverTheyStand) {
  const Route one{.name = "a", .match = {.path = "/a"}, .upstream = "app"};
  Route other = one;
  other.where = {"f", 1, 1};
  EXPECT_EQ(one, other);
  other.match.path = "/b";
  EXPECT_NE(one, other);
}

TEST(Routes, MayOverlap) {
  EXPECT_THAT(problems_of(with_routes("  - { match: { host: [ a, b ] }, upstream: app }\n"
                                      "  - { match: { host: [ b, c ] }, upstream: api }\n"
                                      "  - { match: { host: b, path: /a }, upstream: api }\n"
                                      "  - { match: { host: b, path_prefix: /a }, upstream: api }\n")),
              testing::IsEmpty());
}

class RefusedRoutes : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedRoutes, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal routes[] = {
    {"SameHost",
     with_routes("  - { match: { host: a }, upstream: app }\n  - { match: { host: A. }, upstream: api }\n"),
     {"f:8:14: the route in line 7 has the same `match`"}},
    {"SameHostsInAnotherOrder",
     with_routes(
         "  - { match: { host: [ a, b ] }, upstream: app }\n  - { match: { host: [ b, a ] }, upstream: api }\n"),
     {"f:8:14: the route in line 7 has the same `match`"}},
    {"SamePrefix",
     with_routes(
         "  - { match: { path_prefix: /a }, upstream: app }\n  - { match: { path_prefix: /a/ }, upstream: app }\n"),
     {"f:8:14: the route in line 7 has the same `match`"}},
    {"TwoDefaults",
     with_routes("  - upstream: app\n  - upstream: api\n"),
     {"f:8:5: the route in line 7 has no `match` either; only one route can take all other requests"}},
    {"NothingBecauseOfABadMatch",
     with_routes("  - upstream: app\n  - { match: { host: \"a b\" }, upstream: api }\n"),
     {"f:8:22: `host`: `a b` is not a host name"}},
    {"SameName",
     with_routes("  - { name: r, match: { host: a }, upstream: app }\n  - { name: r, upstream: api }\n"),
     {"f:8:13: the name `r` is already taken in line 7"}},
    {"NameOfAMatch",
     with_routes("  - { name: a, match: { host: b }, upstream: app }\n  - { match: { host: a }, upstream: api }\n"),
     {"f:8:5: the name `a` is already taken in line 7"}},
    {"BadName",
     with_routes("  - { name: \"a b\", upstream: app }\n"),
     {"f:7:13: `name`: `a b` must be 1 to 64 letters"}},
    {"DanglingUpstreams",
     with_routes("  - { match: { host: a }, upstream: apo }\n  - upstream: nobody\n"),
     {"f:7:37: there is no upstream `apo`; did you mean `app`?", "f:8:15: there is no upstream `nobody`"}},
    {"NoAction", with_routes("  - { match: { host: a } }\n"), {"f:7:5: `upstream` is missing on a route"}},
    {"EmptyMatch",
     with_routes("  - { match: {}, upstream: app }\n"),
     {"f:7:14: `match`: expected conditions, as in `match: { host: example.com }`; leave out `match`"}},
    {"ForgottenMatch", with_routes("  - match:\n    upstream: app\n"), {"f:7:5: `match`: expected conditions"}},
    {"MatchIsAHost",
     with_routes("  - { match: a.example, upstream: app }\n"),
     {"f:7:14: `match`: expected keys with values, as in `{ host: \"a.example\" }`"}},
    {"MatchIsAPath",
     with_routes("  - { match: /v1, upstream: app }\n"),
     {"f:7:14: `match`: expected keys with values, as in `{ path_prefix: /v1 }`"}},
    {"UnknownCondition",
     with_routes("  - { match: { hots: a }, upstream: app }\n"),
     {"f:7:16: unknown key `hots` in `match`; did you mean `host`? (expected: host, path, path_prefix, path_regex, "
      "method, "
      "header, query, client)"}},
    {"EmptyHosts",
     with_routes("  - { match: { host: [] }, upstream: app }\n"),
     {"f:7:22: `host`: the list is empty; leave out `host` to match every host"}},
    {"EveryBadHost",
     with_routes("  - { match: { host: [ \"*\", a, a, \"b:80\" ] }, upstream: app }\n"),
     {"f:7:24: `host`: `*` means every host", "f:7:32: `host`: `a` appears twice",
      "f:7:35: `host`: `b:80` must not have a port; a route matches a host on every port; write `b`"}},
    {"RelativePath",
     with_routes("  - { match: { path: a }, upstream: app }\n"),
     {"f:7:22: `path`: `a` must begin with `/`; write `/a`"}},
    {"RelativePrefix",
     with_routes("  - { match: { path_prefix: v1 }, upstream: app }\n"),
     {"f:7:29: `path_prefix`: `v1` must begin with `/`; write `/v1`"}},
    {"ControlCharacterInAPath",
     with_routes("  - { match: { path: \"/a\\n\" }, upstream: app }\n"),
     {"f:7:22: `path`: `/a?` must be one line of UTF-8"}},
    {"PathAndPrefix",
     with_routes("  - { match: { path_prefix: /a, path: /b }, upstream: app }\n"),
     {"f:7:29: `path_prefix`: a route has either `path` or `path_prefix`, not both"}},
};
INSTANTIATE_TEST_SUITE_P(Of, RefusedRoutes, testing::ValuesIn(routes), [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
