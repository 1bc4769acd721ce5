#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/test_load.hpp"
#include "config/test_paths.hpp"

namespace baton::config {
namespace {

// Every setting differs from its default.
Config unusual() {
  const auto ms = [](int count) { return Milliseconds(count); };
  Config config;
  config.listeners = {{"a", {{.port = 80}, {.host = "::1", .port = 81}}},
                      {"b", {{.unix_path = "/b \"$\\ ${HOST} é"}}},
                      {"c", {{.port = 82}}, Protocol::tcp, "null"}};
  config.upstreams = {{"null", {{{.host = "x.example", .port = 1}, 7}, {{.unix_path = "/u"}, 1}}},
                      {"1.5", {{{.host = "10.0.0.1", .port = 65535}, 256}}}};
  config.default_upstream = "1.5";
  config.timeouts = {ms(1), ms(20), ms(3'000), ms(4'001), ms(60'000), ms(3'600'000), ms(7), ms(8), ms(9), ms(0)};
  config.limits = {1024, 0, 9999, 123'456'789, 11, 0, 4 * 1024 * 1024};
  config.handoff = {"/run/h$$.sock", ms(1), ms(2), ms(0), ms(4)};
  config.admin = {.host = "fe80::1%eth0", .port = 9901};
  config.pid_file = "/run/'b'.pid # no comment";
  config.workers = 256;
  config.log = {LogLevel::debug, AccessLog{"access: {log}", AccessFormat::json}};
  return config;
}

TEST(Print, ReadsBackEqual) {
  EXPECT_EQ(config_of(print(unusual())), unusual());
  EXPECT_EQ(config_of(print(config_of(minimal))), config_of(minimal));
}

TEST(Print, ShowsNoRouteWhereThereIsNone) {
  Config config = unusual();
  config.listeners.erase(config.listeners.begin(), config.listeners.end() - 1);
  config.default_upstream.clear();
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_FALSE(paths_of(print(config)).contains("routes"));
}

TEST(Print, IsStable) {
  EXPECT_EQ(print(config_of(print(unusual()))), print(unusual()));
}

TEST(Print, ShowsEveryKey) {
  const auto shown = paths_of(print(unusual()));
  for (const KnownKey& key : known_keys()) {
    if (key.supported) {
      EXPECT_TRUE(shown.contains(key.path)) << key.path;
    }
  }
}

TEST(Print, IsWrittenAsPeopleWriteIt) {
  EXPECT_THAT(print(config_of(minimal)), testing::StartsWith("version: 1\n"
                                                             "listeners:\n"
                                                             "  - name: \"web\"\n"
                                                             "    bind: [\"127.0.0.1:8080\"]\n"
                                                             "    protocol: http\n"
                                                             "routes:\n"
                                                             "  - upstream: \"app\"\n"));
  EXPECT_THAT(print(config_of(minimal)), testing::HasSubstr("  tunnel_idle: 1h\n"));
  EXPECT_THAT(print(config_of(minimal)), testing::HasSubstr("  head_bytes: 32k\n"));
}

}  // namespace
}  // namespace baton::config
