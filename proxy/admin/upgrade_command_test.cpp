#include "proxy/admin/upgrade_command.hpp"

#include <gtest/gtest.h>

namespace baton::admin {
namespace {

UpgradeCommand command_of(const std::string& body) {
  auto command = read_upgrade_command(body);
  if (!command) ADD_FAILURE() << body << ": " << command.error();
  return command.value_or(UpgradeCommand{});
}

std::string mistake_in(const std::string& body) {
  const auto command = read_upgrade_command(body);
  return command ? "" : command.error();
}

config::Canary canary(std::uint16_t share, int bake_s, int max_s) {
  return {share, config::Milliseconds(1000 * bake_s), config::Milliseconds(1000 * max_s)};
}

TEST(ReadUpgradeCommand, AsksForTheUsualUpgradeByDefault) {
  for (const char* body : {"", "{}", R"({"from_file": false, "reload": false})"}) {
    const UpgradeCommand command = command_of(body);
    EXPECT_EQ(command.what, UpgradeCommand::What::upgrade);
    EXPECT_EQ(command.binary, "");
    EXPECT_FALSE(command.from_file || command.reload || command.canary || command.without_canary) << body;
  }
}

TEST(ReadUpgradeCommand, TakesACanaryWithTheDefaultsOfTheConfiguration) {
  EXPECT_EQ(command_of(R"({"canary": {"share": "5%"}})").canary, canary(500, 30, 300));
  EXPECT_EQ(command_of(R"({"canary": {"share": "0.25%", "bake": "10m"}})").canary, canary(25, 600, 600));
  const UpgradeCommand all =
      command_of(R"({"binary": "/b", "from_file": true, "canary": {"max": "2m", "bake": "1m", "share": "50%"}})");
  EXPECT_EQ(all.canary, canary(5'000, 60, 120));
  EXPECT_EQ(all.binary, "/b");
  EXPECT_TRUE(all.from_file);
  EXPECT_FALSE(all.without_canary);
}

TEST(ReadUpgradeCommand, MayGoWithoutTheCanaryOfTheConfiguration) {
  const UpgradeCommand command = command_of(R"({"canary": "off"})");
  EXPECT_TRUE(command.without_canary);
  EXPECT_EQ(command.canary, std::nullopt);
}

TEST(ReadUpgradeCommand, ReloadsWithACanaryOrWithout) {
  EXPECT_TRUE(command_of(R"({"reload": true})").reload);
  const UpgradeCommand command = command_of(R"({"reload": true, "from_file": false, "canary": {"share": "5%"}})");
  EXPECT_TRUE(command.reload);
  EXPECT_EQ(command.canary, canary(500, 30, 300));
}

TEST(ReadUpgradeCommand, SaysWhichPartIsWrong) {
  const std::string form =
      R"(the body must be empty or {"binary": "/absolute/path", "from_file": true, "reload": true, )"
      R"("canary": {"share": "5%", "bake": "30s", "max": "5m"} or "off"}, all optional)";
  for (const char* body : {"{", "[]", "1", "\"off\"", "{} {}"}) EXPECT_EQ(mistake_in(body), form) << body;
  EXPECT_EQ(mistake_in(R"({"canray": "off"})"), "unknown key `canray`; " + form);

  for (const char* path : {"1", "\"\"", "\"relative\"", R"("/a\u0000b")"}) {
    EXPECT_EQ(mistake_in(R"({"binary": )" + std::string(path) + "}"),
              "`binary` must be the absolute path of a program");
  }
  EXPECT_EQ(mistake_in(R"({"from_file": "yes"})"), "`from_file` must be true or false");
  EXPECT_EQ(mistake_in(R"({"reload": 1})"), "`reload` must be true or false");

  const std::string canary_form = R"(`canary` must be {"share": "5%", "bake": "30s", "max": "5m"} or "off")";
  for (const char* value : {"true", "null", "5", "\"5%\"", "\"on\"", "[]"}) {
    EXPECT_EQ(mistake_in(R"({"canary": )" + std::string(value) + "}"), canary_form);
  }
  const auto in_canary = [](const std::string& keys) { return mistake_in(R"({"canary": {)" + keys + "}}"); };
  EXPECT_EQ(in_canary(""), "`share` is missing in `canary`");
  EXPECT_EQ(in_canary(R"("bake": "10s")"), "`share` is missing in `canary`");
  EXPECT_EQ(in_canary(R"("share": 5)"), "`canary.share` must be text, as in \"5%\"");
  EXPECT_EQ(in_canary(R"("share": "5%", "max": 300)"), "`canary.max` must be text, as in \"30s\"");
  EXPECT_EQ(in_canary(R"("share": "5%", "time": "1s")"), "unknown key `time` in `canary` (expected: share, bake, max)");
  EXPECT_EQ(in_canary(R"("share": "60%")"),
            "`canary.share`: `60%` is not a share from 0.01% to 50%; write it like 5% or 0.25%");
  EXPECT_EQ(in_canary(R"("share": "5%", "bake": "500ms")"), "`canary.bake`: `500ms` must be from 1s to 24h");
  EXPECT_EQ(in_canary(R"("share": "5%", "bake": "1m", "max": "30s")"), "`canary.max`: 30s is less than `bake` 1m");
}

TEST(ReadUpgradeCommand, ReloadsOnlyTheRunningProgramFromTheFile) {
  EXPECT_EQ(mistake_in(R"({"reload": true, "binary": "/b"})"),
            "`reload` takes the running program and the configuration's file: leave out `binary`");
  EXPECT_EQ(mistake_in(R"({"from_file": true, "reload": true})"),
            "`reload` takes the running program and the configuration's file: leave out `from_file`");
}

}  // namespace
}  // namespace baton::admin
