// What an upgrade leaves behind: the report, the PID file, the lock, as many descriptors as before.
#include <gtest/gtest.h>

#include <signal.h>

#include <list>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class AfterUpgrade : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 15s";  // a held request holds the upgrade up until the gate opens
    return settings;
  }
  Origin origin;
  Baton baton{settings(origin)};
};

TEST_F(AfterUpgrade, StatusShowsTheReport) {
  Client client = baton.connect();
  client.get("/bytes/1");
  baton.await_number("upstream_idle", 1);
  const pid_t before = baton.pid();
  const std::string line = baton.upgrade();
  EXPECT_NE(line.find("moved=1 (idle: 1)"), std::string::npos) << line;
  EXPECT_NE(line.find("upstream_idle=1"), std::string::npos) << line;
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_EQ(baton.number("pid"), baton.pid());
  const boost::json::object report = baton.status().at("last_upgrade").as_object();
  EXPECT_EQ(report.at("result").as_string(), "completed");
  EXPECT_EQ(baton.number("last_upgrade.from_pid"), before);
  EXPECT_EQ(baton.number("last_upgrade.to_pid"), baton.pid());
  EXPECT_EQ(baton.number("last_upgrade.moved.idle"), 1);
  EXPECT_EQ(baton.number("last_upgrade.moved_total"), 1) << "clients only";
  EXPECT_EQ(baton.number("last_upgrade.upstream_idle_moved"), 1);
  EXPECT_GT(baton.number("last_upgrade.pause_us.max"), 0);
  EXPECT_GE(baton.number("last_upgrade.pause_us.max"), baton.number("last_upgrade.pause_us.p50"));
}

TEST_F(AfterUpgrade, TheSuccessorIsNamedInThePidFileAndHoldsTheLock) {
  const pid_t before = baton.pid();
  baton.upgrade();
  EXPECT_NE(baton.pid_in_file(), before);
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_TRUE(baton.lock_is_held());
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_EQ(read_file(baton.pid_file_path()), "") << "the last instance takes its PID file with it";
  EXPECT_FALSE(baton.lock_is_held());
}

TEST_F(AfterUpgrade, TenInARowGatherNoDescriptors) {
  std::list<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  origin.close_idle_connections();  // pooled connections would make the count a matter of luck
  baton.await_number("upstream_idle", 0);
  baton.upgrade();
  const std::size_t descriptors = descriptor_count(baton.pid());
  for (int i = 0; i < 10; ++i) {
    baton.upgrade();
    await_descriptors_at_most(descriptors, baton.pid());
  }
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(baton.number("generation"), 12);
  EXPECT_EQ(baton.number("accepted_total"), 20);
}

TEST_F(AfterUpgrade, ASecondSignalMeanwhileIsRefusedWithALine) {
  Client client = baton.connect();
  client.send(get_request("/held"));  // keeps the upgrade going for the finish timeout
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  await([&] { return !children_of(baton.pid()).empty(); }, "the successor to be started");
  baton.begin_upgrade();
  baton.await_log(log_lines::upgrade_refused);
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(client.response().body, "held");
}

TEST_F(AfterUpgrade, ASecondInstanceOnTheSameConfigurationIsRefusedBeforeAndAfter) {
  for (int i = 0; i < 2; ++i) {
    Outcome second = run_baton({"run", "-c", baton.config_path()});
    EXPECT_EQ(second.code, 1);
    EXPECT_TRUE(std::regex_search(second.err, log_lines::lock_held)) << second.err;
    EXPECT_EQ(baton.connect().get("/bytes/1").body, "A");
    EXPECT_EQ(baton.pid_in_file(), baton.pid());
    if (i == 0) baton.upgrade();
  }
}

TEST_F(AfterUpgrade, ANewConfigurationIsInForce) {
  Client client = baton.connect();
  client.get("/bytes/1");
  std::string yaml = read_file(baton.config_path());
  replace_file(baton.config_path(), yaml + "limits: { requests_per_connection: 1 }\n");
  baton.upgrade();
  EXPECT_EQ(baton.connect().get("/bytes/1").field("Connection"), "close");
}

}  // namespace
}  // namespace baton::harness
