// A successor that fails in every possible way: the old process continues to serve, says why in one line, and the next
// signal works.
#include <gtest/gtest.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class FailedUpgrade : public testing::Test {
 protected:
  explicit FailedUpgrade(Settings more = {}) : baton(settings(std::move(more))) {}

  Settings settings(Settings more) const {
    more.servers = {{origin.address()}};
    more.own_binary = true;
    return more;
  }

  // The old process serves the old connections and a new one.
  void expect_failure_and_recovery(const std::function<void()>& repair) {
    idle.get("/bytes/1");
    partial.send("GET /bytes/3 HTTP/1.1\r\n");
    const pid_t before = baton.pid();
    baton.failed_upgrade();
    EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_failed), 1u) << baton.log();
    EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
    EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
    EXPECT_NE(baton.status().at("last_upgrade").as_object().at("result").as_string(), "completed");
    expect_one_instance(baton);
    repair();
    baton.upgrade();
    partial.send("Host: a\r\n\r\n");
    EXPECT_EQ(partial.response().body, pattern(3));
    EXPECT_EQ(idle.get("/bytes/4").body, pattern(4));
    EXPECT_EQ(baton.number("last_upgrade.from_pid"), before);
    expect_one_instance(baton);
  }
  void expect_failure_with(const std::string& script) {
    replace_file(baton.binary_path(), script, true);
    expect_failure_and_recovery([this] { restore_binary(); });
  }
  void restore_binary() { replace_file(baton.binary_path(), read_file(baton_binary()), true); }

  Origin origin;
  Baton baton;
  Client idle = baton.connect();
  Client partial = baton.connect();
};

TEST_F(FailedUpgrade, ASuccessorThatExitsAtOnce) {
  expect_failure_with("#!/bin/sh\nexit 1\n");
  EXPECT_EQ(baton.count_log_lines(std::regex("generation 1 to unknown, PID [0-9]+ to unknown, version \\S+ to unknown,")),
            1u)
      << baton.log();
}
TEST_F(FailedUpgrade, ASuccessorThatExitsWithSuccessButSaidNothing) {
  expect_failure_with("#!/bin/sh\nexit 0\n");
}

class HangingSuccessor : public FailedUpgrade {
 protected:
  HangingSuccessor() : FailedUpgrade(short_ready_timeout()) {}
  static Settings short_ready_timeout() {
    Settings settings;
    settings.handoff = "ready_timeout: 3s, step_timeout: 15s";  // for the upgrade after the repair, too
    return settings;
  }
};

TEST_F(HangingSuccessor, IsKilled) {
  expect_failure_with("#!/bin/sh\nexec /bin/sleep 1000\n");
}
TEST_F(FailedUpgrade, ASuccessorThatIsKilled) {
  expect_failure_with("#!/bin/sh\nkill -SEGV $$\n");
}
TEST_F(FailedUpgrade, AFileThatIsNoProgram) {
  expect_failure_with("not a program");
}
TEST_F(FailedUpgrade, ASuccessorThatTalksNonsense) {
  expect_failure_with("#!/bin/sh\neval \"echo nonsense >&$BATON_HANDOFF\"\nexec /bin/sleep 1000\n");
}

TEST_F(FailedUpgrade, AMissingBinary) {
  std::filesystem::remove(baton.binary_path());
  expect_failure_and_recovery([this] { restore_binary(); });
}

TEST_F(FailedUpgrade, ABinaryWithoutPermission) {
  std::filesystem::permissions(baton.binary_path(), std::filesystem::perms::none);
  expect_failure_and_recovery([this] { restore_binary(); });
}

TEST_F(FailedUpgrade, AnInvalidConfiguration) {
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "no_such_key: 1\n");
  expect_failure_and_recovery([&] { replace_file(baton.config_path(), good); });
  EXPECT_NE(baton.log().find(baton.config_path() + ":"), std::string::npos) << "the place is named";
}

TEST_F(FailedUpgrade, AMissingConfiguration) {
  const std::string good = read_file(baton.config_path());
  std::filesystem::remove(baton.config_path());
  expect_failure_and_recovery([&] { replace_file(baton.config_path(), good); });
}

TEST_F(FailedUpgrade, AnAddedAddressThatIsTaken) {
  const std::string good = read_file(baton.config_path());
  std::string taken = good;
  const std::string own = baton.address().text();
  taken.replace(taken.find("\"" + own + "\""), own.size() + 2, "\"" + own + "\", \"" + origin.address().text() + "\"");
  replace_file(baton.config_path(), taken);
  expect_failure_and_recovery([&] { replace_file(baton.config_path(), good); });
}

TEST_F(FailedUpgrade, FailuresInARowLeaveNothingBehind) {
  idle.get("/bytes/1");
  origin.close_idle_connections();
  baton.await_number("upstream_idle", 0);
  replace_file(baton.binary_path(), "#!/bin/sh\nexit 1\n", true);
  baton.failed_upgrade();
  const std::size_t descriptors = descriptor_count(baton.pid());
  for (int i = 0; i < 5; ++i) baton.failed_upgrade();
  await_descriptors_at_most(descriptors, baton.pid());
  restore_binary();
  baton.upgrade();
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
}

}  // namespace
}  // namespace baton::harness
