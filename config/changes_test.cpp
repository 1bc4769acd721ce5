#include "config/changes.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"

namespace baton::config {
namespace {

using How = Change::How;
using What = Change::What;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string larger =
    "version: 1\n"
    "listeners:\n"
    "  - { name: web, bind: \"127.0.0.1:8080\" }\n"
    "  - { name: raw, bind: \"127.0.0.1:8081\", protocol: tcp, upstream: app }\n"
    "routes:\n"
    "  - { name: api, match: { path_prefix: /api }, upstream: app }\n"
    "  - { match: { host: a.example }, upstream: other }\n"
    "  - { upstream: app }\n"
    "upstreams:\n"
    "  - { name: app, servers: [ { address: \"127.0.0.1:1\" }, { address: \"127.0.0.1:2\", weight: 3 } ] }\n"
    "  - { name: other, servers: [ { address: \"127.0.0.1:3\" } ], health: { active: { type: tcp } } }\n";

std::string with(std::string yaml, const std::string& what, const std::string& by) {
  const std::size_t at = yaml.find(what);
  if (at == std::string::npos) throw std::runtime_error("there is no " + what);
  return yaml.replace(at, what.size(), by);
}

std::vector<Change> to(const std::string& yaml) {
  return changes(config_of(larger), config_of(yaml));
}
std::vector<Change> to(const std::string& what, const std::string& by) {
  return to(with(larger, what, by));
}

TEST(Changes, OfTheSameConfigurationAreNone) {
  EXPECT_THAT(to(larger), IsEmpty());
  EXPECT_EQ(text_of(to(larger)), "no change");
}

TEST(Changes, AreOfValuesAndNotOfTheirForm) {
  EXPECT_THAT(to("# a comment\n" + larger + "timeouts: { idle: 75000ms }\nworkers: auto\n"), IsEmpty());
  EXPECT_THAT(to("type: tcp", "type: 'tcp', every: 5s"), IsEmpty()) << "the default";
  EXPECT_THAT(to(print(config_of(larger))), IsEmpty());
}

TEST(Changes, NameWhatIsAddedAndWhatIsRemoved) {
  EXPECT_THAT(to("name: raw", "name: tcp"),
              ElementsAre(Change{What::listener, "raw", How::removed}, Change{What::listener, "tcp", How::added}));
  EXPECT_THAT(to("  - { match: { host: a.example }, upstream: other }\n", ""),
              ElementsAre(Change{What::route, "a.example", How::removed}));
  EXPECT_THAT(to("127.0.0.1:2", "127.0.0.1:4"), ElementsAre(Change{What::server, "app/127.0.0.1:2", How::removed},
                                                            Change{What::server, "app/127.0.0.1:4", How::added}));
  EXPECT_THAT(
      to(larger + "  - { name: new, servers: [ { address: \"127.0.0.1:9\" } ] }\n"),
      ElementsAre(Change{What::upstream, "new", How::added}, Change{What::server, "new/127.0.0.1:9", How::added}));
}

TEST(Changes, NameTheKeysOfWhatIsChanged) {
  EXPECT_THAT(to("protocol: tcp", "protocol: tcp, backlog: 7, access: { deny: 10.0.0.0/8 }"),
              ElementsAre(Change{What::listener, "raw", How::changed, {"backlog", "access"}}));
  EXPECT_THAT(to("path_prefix: /api }", "path_prefix: /api }, timeouts: { total: 5s }, access_log: false"),
              ElementsAre(Change{What::route, "api", How::changed, {"timeouts", "access_log"}}));
  EXPECT_THAT(to("weight: 3", "weight: 4"),
              ElementsAre(Change{What::server, "app/127.0.0.1:2", How::changed, {"weight"}}));
  EXPECT_THAT(to("type: tcp", "type: tcp, every: 7s"),
              ElementsAre(Change{What::upstream, "other", How::changed, {"health.active.every"}}));
  EXPECT_THAT(to(larger + "timeouts: { idle: 1s, head: 2s }\nworkers: 3\nerror_pages: { 404: /404 }\n"),
              ElementsAre(Change{What::setting, "timeouts.head"}, Change{What::setting, "timeouts.idle"},
                          Change{What::setting, "workers"}, Change{What::setting, "error_pages"}));
}

TEST(Changes, NameTheKeyOfTheCanaryOrAllOfIt) {
  const std::string with_canary = larger + "handoff: { canary: { share: 5% } }\n";
  const auto is_setting = [](const char* name) { return ElementsAre(Change{What::setting, name}); };
  EXPECT_THAT(to(with_canary), ElementsAre(Change{What::setting, "handoff.canary"}));
  EXPECT_THAT(changes(config_of(with_canary), config_of(with(with_canary, "5%", "6%"))),
              is_setting("handoff.canary.share"));
}

TEST(Changes, SayThatTheOrderOfRoutesIsAnother) {
  const std::string last = "  - { upstream: app }\n";
  EXPECT_THAT(to(with(with(larger, last, ""), "routes:\n", "routes:\n" + last)),
              ElementsAre(Change{What::setting, "routes", How::changed, {"order"}}));
}

TEST(Changes, AreOneLineEachForPeople) {
  EXPECT_EQ(text_of(to(with(with(larger, "weight: 3", "weight: 4"), "name: raw", "name: tcp") + "workers: 3\n")),
            "removed listener `raw`\n"
            "added listener `tcp`\n"
            "changed server `app/127.0.0.1:2`: weight\n"
            "changed setting `workers`");
}

}  // namespace
}  // namespace baton::config
