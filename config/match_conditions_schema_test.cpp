// Conditions of a match besides host and path.
#include "config/match_conditions_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

using Asks = ValueCondition::Asks;

std::string with_match(const std::string& conditions) {
  return minimal + "routes:\n  - { match: { " + conditions + " }, upstream: app }\n";
}

Match match_of(const std::string& conditions) {
  const Config config = config_of(with_match(conditions));
  EXPECT_EQ(config_of(print(config)), config) << print(config);
  return config.routes.empty() ? Match{} : config.routes.front().match;
}

TEST(MatchConditions, LoadInTheirOrder) {
  const Match match = match_of(
      "path_regex: \"^/u/[0-9]+$\", method: [ GET, PURGE ], header: { X-Canary: \"1\", b: \"*\", C: \"!\", d: \"\" }, "
      "query: { Beta: \"*\", \"a b\": \"!\", c: d }, client: [ 10.0.0.0/8, \"2001:db8::/32\", 192.0.2.1 ]");
  EXPECT_EQ(match.path_regex, "^/u/[0-9]+$");
  EXPECT_EQ(match.methods, (std::vector<std::string>{"GET", "PURGE"}));
  EXPECT_EQ(
      match.headers,
      (std::vector<ValueCondition>{
          {"x-canary", Asks::value, "1"}, {"b", Asks::present, ""}, {"c", Asks::absent, ""}, {"d", Asks::value, ""}}));
  EXPECT_EQ(match.queries, (std::vector<ValueCondition>{
                               {"Beta", Asks::present, ""}, {"a b", Asks::absent, ""}, {"c", Asks::value, "d"}}));
  EXPECT_EQ(match.clients.size(), 3u);
  EXPECT_EQ(match.conditions(), 9u);
}

TEST(MatchConditions, OneNeedsNoList) {
  const Match match = match_of("method: GET, client: \"::1\"");
  EXPECT_EQ(match.methods, std::vector<std::string>{"GET"});
  EXPECT_EQ(match.clients, std::vector<Network>{*parse_network("::1")});
}

TEST(MatchConditions, NameTheRoute) {
  EXPECT_EQ(match_of("host: a, path_prefix: /v1, method: [ GET, HEAD ], header: { x: \"1\", y: \"*\" }, query: { q: "
                     "\"!\" }, client: 10.0.0.0/8")
                .text(),
            "a/v1/*#method=GET,HEAD&header.x=1&header.y=*&query.q=!&client=10.0.0.0/8");
  EXPECT_EQ(match_of("path_regex: \"^/[a b]*$\"").text(), "~^/[a%20b]%2A$");
  EXPECT_EQ(match_of("method: GET").text(), "*#method=GET");
}

// A value can look like the text around it, and two different matches must not have one name.
TEST(MatchConditions, DifferentOnesHaveDifferentNames) {
  const Match matches[] = {match_of("header: { x: \"1&header.y=2\" }"),
                           match_of("header: { x: \"1\", y: \"2\" }"),
                           match_of("header: { x: \"*\" }"),
                           match_of("header: { x: \"%2A\" }"),
                           match_of("header: { x: \" *\" }"),
                           match_of("query: { x: \"*\" }"),
                           match_of("path_regex: \"/a#method=GET\""),
                           match_of("path_regex: /a, method: GET")};
  for (const Match& one : matches) {
    for (const Match& other : matches) EXPECT_EQ(one.text() == other.text(), &one == &other) << one.text();
  }
}

class RefusedConditions : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedConditions, NamePlaceAndReason) {
  expect_refused(GetParam());
}

// Conditions that are the same however they are written; the second route is in line 10.
std::string twice(const std::string& one, const std::string& other) {
  return minimal + "routes:\n  - { match: { " + one + " }, upstream: app }\n  - { match: { " + other +
         " }, upstream: app }\n";
}
const std::vector<std::string> same{"f:10:14: the route in line 9 has the same `match`"};

const Refusal match_conditions_refusals[] = {
    {"SameMethods", twice("method: [ GET, HEAD ]", "method: [ HEAD, GET ]"), same},
    {"SameHeaders", twice("header: { A: \"1\", b: \"*\" }", "header: { B: \"*\", a: \"1\" }"), same},
    {"SameQueries", twice("query: { a: \"1\", b: \"!\" }", "query: { b: \"!\", a: \"1\" }"), same},
    {"SameClients", twice("client: [ \"::1\", \"10.0.0.1/32\" ]", "client: [ 10.0.0.1, \"0:0::1\" ]"), same},
    {"SameRegex", twice("path_regex: a", "path_regex: a"), same},
    {"BadMethods",
     with_match("method: [ get, \"G T\", CONNECT, PUT, PUT ]"),
     {"f:9:26: `method`: `get`: methods are written in capitals; write `GET`",
      "f:9:31: `method`: `G T` is not a method, as in `GET`", "f:9:38: `method`: `CONNECT` never reaches a route",
      "f:9:52: `method`: `PUT` appears twice"}},
    {"NoMethods", with_match("method: []"), {"f:9:24: `method`: the list is empty; leave out `method`"}},
    {"BadHeaders",
     with_match("header: { \"a b\": \"1\", host: b, X: \"1\", x: \"2\", y: [] }"),
     {"f:9:26: `header`: `a b` is not the name of a header",
      "f:9:38: `header`: `host` has a condition of its own: `match: { host: example.com }`",
      "f:9:55: `header`: `x` appears twice", "f:9:66: `header`: expected one value"}},
    {"NoHeaders",
     with_match("header: {}"),
     {"f:9:24: `header`: expected names with values, as in `header: { x-canary: \"1\" }`; `\"*\"` is any value"}},
    {"HeaderIsAText", with_match("header: a"), {"f:9:24: `header`: expected names with values"}},
    {"NoQueries",
     with_match("query: []"),
     {"f:9:23: `query`: expected names with values, as in `query: { beta: \"1\" }`"}},
    {"BadClients",
     with_match("client: [ 10.0.0.1/8, a, \"::1\", \"::1/128\" ]"),
     {"f:9:26: `client`: ", "f:9:38: `client`: ", "f:9:48: `client`: `::1` appears twice"}},
    {"NoClients", with_match("client: []"), {"f:9:24: `client`: the list is empty; leave out `client`"}},
    {"BadRegex",
     with_match("path_regex: \"^/u/(a\""),
     {"f:9:28: `path_regex`: `^/u/(a` is not a regular expression of RE2: missing ): ^/u/(a, at character 1 of it"}},
    {"BadRepeat",
     with_match("path_regex: \"^/u/a**\""),
     {"f:9:28: `path_regex`: `^/u/a**` is not a regular expression of RE2: bad repetition operator: **, at character "
      "6"}},
    {"Lookahead",
     with_match("path_regex: \"(?=a)\""),
     {"f:9:28: `path_regex`: `(?=a)` is not a regular expression of RE2"}},
    {"RegexAndPath",
     with_match("path: /a, path_regex: b"),
     {"f:9:38: `path_regex`: a route has only one of `path`, `path_prefix` and `path_regex`"}},
    {"EmptyRegex", with_match("path_regex: \"\""), {"f:9:28: `path_regex`: a regular expression is missing"}},
    {"LongRegex",
     with_match("path_regex: " + std::string(1025, 'a')),
     {"f:9:28: `path_regex`: a regular expression must not be longer than 1024"}},
};
INSTANTIATE_TEST_SUITE_P(Of, RefusedConditions, testing::ValuesIn(match_conditions_refusals),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
