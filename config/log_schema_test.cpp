// The event log, where the access log goes, and how its lines look.
#include "config/log_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

std::string with_access(const std::string& keys) {
  return minimal + "log: { access: { " + keys + " } }\n";
}

AccessLog access_having(const std::string& keys) {
  const Config config = config_of(with_access(keys));
  EXPECT_EQ(config_of(print(config)), config) << print(config);
  return config.log.access.value_or(AccessLog{});
}

TEST(AccessLogKeys, GoToAFileOrToSyslog) {
  EXPECT_EQ(access_having("path: /a"), AccessLog{.path = "/a"});
  EXPECT_EQ(access_having("syslog: \"[::1]:514\"").syslog, (Address{.host = "::1", .port = 514}));
  EXPECT_EQ(access_having("syslog: unix:/dev/log").syslog, Address{.unix_path = "/dev/log"});
  EXPECT_FALSE(config_of(with_access("syslog: \"\"")).log.access);
}

TEST(AccessLogKeys, HaveAFormatByNameOrAsAText) {
  EXPECT_EQ(access_having("path: /a, format: json").format, AccessFormat::json);
  EXPECT_EQ(access_having("path: /a, format: logfmt").format, AccessFormat::logfmt);
  const AccessLog access = access_having("path: /a, format: '{client} \"{request}\" {header.X-A} {{ {ended}'");
  EXPECT_EQ(access.format, AccessFormat::text);
  EXPECT_EQ(access.text.text(), "{client} \"{request}\" {header.x-a} {{ {ended}");
}

TEST(EventLogKeys, HaveOneNameForALevelAndAcceptAnother) {
  for (const char* name : {"warn", "warning", "${LEVEL:-warning}"}) {
    const Config config = config_of(minimal + "log: { level: \"" + name + "\" }\n");
    EXPECT_EQ(config.log.level, LogLevel::warning) << name;
    EXPECT_NE(print(config).find("level: warn\n"), std::string::npos) << print(config);
  }
  EXPECT_EQ(log_level_of("warning"), LogLevel::warning);
  EXPECT_EQ(log_level_of("debug"), LogLevel::debug);
  EXPECT_EQ(log_level_of("loud"), std::nullopt);
}

class RefusedAccessLog : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedAccessLog, NamesPlaceAndReason) {
  expect_refused(GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    LogSchema, RefusedAccessLog,
    testing::Values(Refusal{"Both",
                            with_access("path: /a, syslog: unix:/dev/log"),
                            {"f:8:16: `access`: either `path` or `syslog`: the log goes to one place"}},
                    Refusal{"AName",
                            with_access("syslog: \"logs.internal:514\""),
                            {"f:8:26: `syslog`: `logs.internal:514` is neither like 192.0.2.7:514 nor like "
                             "unix:/dev/log"}},
                    Refusal{"AnUnknownPlaceholder",
                            with_access("path: /a, format: \"{clinet}\""),
                            {"f:8:36: `format`: there is no placeholder `{clinet}`; did you mean `{client}`?"}}),
    [](const auto& refusal) { return std::string(refusal.param.title); });

}  // namespace
}  // namespace baton::config
