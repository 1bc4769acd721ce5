// The keys that say which server of an upstream a request goes to: what loads, what is refused, what is printed.
#include "config/balancing_schema.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

// An upstream in line 3 whose keys begin in column 18.
std::string upstream_with(const std::string& keys, const std::string& server = "") {
  return with_upstreams("  - { name: app, " + keys + (keys.empty() ? "" : ", ") + "servers: [ { address: \"a:1\"" +
                        server + " }, { address: \"b:2\" } ] }\n");
}

const Upstream upstream_of(const std::string& yaml) {
  return config_of(yaml).upstreams.at(0);
}

TEST(Balancing, EverySettingArrivesWhereItBelongs) {
  const Upstream upstream = upstream_of(upstream_with(
      "balance: hash, hash: { by: cookie session }, slow_start: 30s, when_none_is_up: refuse, "
      "sticky: { cookie: S, secure: true, same_site: none, max_age: 1h }, queue: { at_most: 7, wait: 2s }, "
      "keep_alive: { requests: 9, age: 1m, idle: 5s, connections: 3 }",
      ", max_connections: 4, drain: true, backup: true"));
  EXPECT_EQ(upstream.balancing, (Balancing{.balance = Balance::hash,
                                           .hash = {HashBy::What::cookie, "session"},
                                           .sticky = Sticky{"S", CookieSecure::always, SameSite::none, 1h},
                                           .slow_start = 30s,
                                           .queue = Queue{7, 2s},
                                           .keep_alive = {.requests = 9, .age = 1min, .idle = 5s, .connections = 3},
                                           .when_none_is_up = WhenNoneIsUp::refuse}));
  const Server& server = upstream.servers.at(0);
  EXPECT_EQ(server.max_connections, 4U);
  EXPECT_TRUE(server.backup);
  EXPECT_TRUE(server.drain);
}

TEST(Balancing, IsPrintedSoThatItLoadsAgain) {
  for (const std::string& keys :
       {std::string("balance: random_two, sticky: {}"), std::string("balance: hash"),
        std::string("balance: hash, hash: { by: header X-User }, queue: {}"),
        std::string("balance: least_connections, slow_start: 1m, keep_alive: { age: 1h }, when_none_is_up: refuse")}) {
    const Config config = config_of(upstream_with(keys, ", max_connections: 2, drain: true"));
    EXPECT_EQ(config_of(print(config)), config) << print(config);
  }
}

TEST(Balancing, SaysWhatIsWrongAndWhatToWrite) {
  const auto refused = [](const std::string& keys) { return problems_of(upstream_with(keys, ", max_connections: 1")); };
  EXPECT_THAT(refused("balance: leastconn"),
              ElementsAre(HasSubstr("f:3:27: `balance`: unknown value `leastconn` (expected: ")));
  EXPECT_THAT(refused("hash: { by: client }"), ElementsAre("f:3:24: `hash`: `hash` needs `balance: hash`"));
  EXPECT_THAT(refused("balance: hash, hash: { by: header }"),
              ElementsAre("f:3:45: `by`: `header` needs a name, as in `by: header X-User`"));
  EXPECT_THAT(refused("balance: hash, hash: { by: cookie a=b }"),
              ElementsAre(HasSubstr("`a=b` is not the name of a cookie")));
  EXPECT_THAT(refused("balance: hash, hash: { by: path x }"), ElementsAre(HasSubstr("`path` takes no name")));
  EXPECT_THAT(refused("balance: hash, hash: { by: url }"),
              ElementsAre(HasSubstr("expected `client`, `header NAME`, `cookie NAME`, `path` or `uri`")));
  EXPECT_THAT(refused("sticky: { cookie: \"a b\" }"),
              ElementsAre("f:3:36: `cookie`: `a b` is not the name of a cookie"));
  EXPECT_THAT(refused("sticky: { same_site: none, secure: false }"), ElementsAre(HasSubstr("unless it is `secure`")));
  EXPECT_THAT(problems_of(upstream_with("queue: {}")),
              ElementsAre(HasSubstr("no server of the upstream has `max_connections`")));
  EXPECT_THAT(problems_of(with_upstreams("  - { name: app, servers: [ { address: \"a:1\", backup: true } ] }\n")),
              ElementsAre(HasSubstr("every server is a `backup`")));
}

}  // namespace
}  // namespace baton::config
