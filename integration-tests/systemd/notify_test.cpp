// What systemd gets from a service of Type=notify, message by message, through its whole life.
#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>

#include <algorithm>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/strace.hpp"
#include "systemd/notify_socket.hpp"

namespace baton::harness {
namespace {

std::int64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

std::string main_pid(pid_t pid) { return "MAINPID=" + std::to_string(pid); }

class Notify : public testing::Test {
 protected:
  static Settings settings(const Origin& origin, const std::string& notify_address) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 15s";  // a held request delays the upgrade until the gate opens
    settings.own_binary = true;
    settings.shell = "export NOTIFY_SOCKET='" + notify_address + "'";
    return settings;
  }

  // The only message of a start.
  void SetUp() override {
    const Notification message = manager.next();
    EXPECT_EQ(message.sender, baton.pid());
    EXPECT_TRUE(message.says("READY=1")) << message.text;
    EXPECT_TRUE(message.value("STATUS").value_or("").starts_with("serving: baton ")) << message.text;
  }

  // Nothing has been sent since the last message: a reload's is next.
  void expect_nothing_before_the_next_reload() {
    baton.signal(SIGHUP);
    const Notification message = manager.next();
    EXPECT_TRUE(message.says("RELOADING=1")) << message.text;
    EXPECT_EQ(message.sender, baton.pid());
    EXPECT_TRUE(manager.next().says("READY=1"));
  }
  // The successor announces that it is the service; then the predecessor does, before it exits.
  void expect_change(pid_t from, pid_t to) {
    for (const pid_t sender : {to, from}) {
      const Notification message = manager.next();
      EXPECT_EQ(message.sender, sender) << message.text;
      EXPECT_TRUE(message.says(main_pid(to))) << message.text;
      EXPECT_TRUE(message.says("READY=1")) << message.text;
    }
  }
  // An upgrade in which everything but `held` has moved.
  void begin_and_hold(Client& held) {
    held.send(get_request("/held"));
    origin.gate().await_arrivals(1);
    idle.get("/bytes/1");
    baton.begin_upgrade();
    baton.await_number("connections.total", 1);
    EXPECT_EQ(idle.get("/bytes/1").body, pattern(1)) << "by the successor";
    successor = children_of(baton.pid()).at(0);
  }

  Origin origin;
  NotifySocket manager;
  Baton baton{settings(origin, manager.address())};
  pid_t successor = 0;
  Client idle = baton.connect();
};

TEST_F(Notify, AReloadIsAnnouncedWithItsTimeAndEnds) {
  const std::int64_t before = monotonic_us();
  baton.signal(SIGHUP);
  const Notification begin = manager.next();
  EXPECT_TRUE(begin.says("RELOADING=1")) << begin.text;
  const std::int64_t at = std::stoll(begin.value("MONOTONIC_USEC").value_or("0"));
  EXPECT_LE(before, at);
  EXPECT_LE(at, monotonic_us());
  const Notification end = manager.next();
  EXPECT_TRUE(end.says("READY=1")) << end.text;
  EXPECT_TRUE(end.value("STATUS").value_or("").starts_with("serving: baton ")) << end.text;
}

TEST_F(Notify, AFailedReloadIsReadyAgainAndSaysWhy) {
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "no_such_key: 1\n" + "\xff: 2\n");
  baton.signal(SIGHUP);
  EXPECT_TRUE(manager.next().says("RELOADING=1"));
  const Notification end = manager.next();
  EXPECT_TRUE(end.says("READY=1")) << end.text;
  EXPECT_NE(end.value("STATUS").value_or("").find("the reload failed: "), std::string::npos) << end.text;
  EXPECT_NE(end.value("STATUS").value_or("").find(baton.config_path()), std::string::npos) << end.text;
  EXPECT_EQ(std::count(end.text.begin(), end.text.end(), '\n'), 1) << "a status is one line\n" << end.text;
  replace_file(baton.config_path(), good);
  baton.signal(SIGHUP);
  EXPECT_TRUE(manager.next().says("RELOADING=1"));
  EXPECT_EQ(manager.next().text.find("failed"), std::string::npos);
}

TEST_F(Notify, AnUpgradeNamesTheSuccessorBeforeThePredecessorEnds) {
  for (int i = 0; i < 3; ++i) {
    const pid_t predecessor = baton.pid();
    baton.upgrade();
    expect_change(predecessor, baton.pid());
  }
  expect_nothing_before_the_next_reload();
}

TEST_F(Notify, AFailedUpgradeSaysNothing) {
  replace_file(baton.binary_path(), "#!/bin/sh\nexit 1\n", true);
  baton.failed_upgrade();
  expect_nothing_before_the_next_reload();
}

TEST_F(Notify, ASuccessorThatDiesWithConnectionsSaysNothing) {
  Client held = baton.connect();
  begin_and_hold(held);
  ::kill(successor, SIGKILL);
  baton.await_log(log_lines::upgrade_failed);
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  expect_nothing_before_the_next_reload();
}

TEST_F(Notify, ASuccessorThatDiesAfterItNamedItselfIsTakenBack) {
  if (!can_trace()) GTEST_SKIP() << "strace is not installed, or may not trace here";
  // It is stopped after its first message to the service manager, before it tells its predecessor.
  replace_file(baton.binary_path(),
               "#!/bin/sh\nexec strace -D -f -qq -o /dev/null " + injection("sendto", "signal=STOP", 1) + " " +
                   baton_in_shell() + " \"$@\"\n",
               true);
  baton.begin_upgrade();
  const Notification taken = manager.next();
  ASSERT_NE(taken.sender, baton.pid());
  EXPECT_TRUE(taken.says(main_pid(taken.sender))) << taken.text;
  ::kill(taken.sender, SIGKILL);
  baton.await_log(log_lines::upgrade_failed);
  const Notification taken_back = manager.next();
  EXPECT_EQ(taken_back.sender, baton.pid());
  EXPECT_TRUE(taken_back.says(main_pid(baton.pid()))) << taken_back.text;
  EXPECT_TRUE(taken_back.says("READY=1")) << taken_back.text;
  expect_nothing_before_the_next_reload();
}

TEST_F(Notify, APredecessorThatDiesLeavesTheWordToItsSuccessor) {
  Client held = baton.connect();
  begin_and_hold(held);
  baton.signal(SIGKILL);
  const Notification message = manager.next();
  EXPECT_EQ(message.sender, successor);
  EXPECT_TRUE(message.says(main_pid(successor))) << message.text;
  EXPECT_TRUE(message.says("READY=1")) << message.text;
  EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2)) << "it serves";
  EXPECT_EQ(baton.await_exit(), (Ended{-1, SIGKILL}));
  baton.follow_pid_file();
  expect_nothing_before_the_next_reload();
}

TEST_F(Notify, AStopIsAnnouncedAndAsksForTimeAsLongAsItLasts) {
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGQUIT);
  const Notification begin = manager.next();
  EXPECT_TRUE(begin.says("STOPPING=1")) << begin.text;
  for (int i = 0; i < 2; ++i) {
    const Notification more = manager.next();
    EXPECT_EQ(more.value("EXTEND_TIMEOUT_USEC"), "10000000") << more.text;
  }
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  held.expect_fin();
  held.close();
  idle.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  while (manager.has_more()) EXPECT_FALSE(manager.next().says("READY=1"));
}

TEST_F(Notify, ATermThatCallsAnUpgradeOffStopsThePredecessorAlone) {
  replace_file(baton.binary_path(), "#!/bin/sh\nexec /bin/sleep 1000\n", true);
  baton.begin_upgrade();
  await([this] { return children_of(baton.pid()).size() == 1; }, "the successor to be started");
  baton.signal(SIGTERM);
  const Notification message = manager.next();
  EXPECT_EQ(message.sender, baton.pid());
  EXPECT_TRUE(message.says("STOPPING=1")) << message.text;
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

TEST_F(Notify, ATermDuringAnUpgradeStopsTheSuccessorOnceItIsTheService) {
  Client held = baton.connect();
  begin_and_hold(held);
  baton.signal(SIGTERM);
  await([this] { return baton.readyz() == 503; }, "the stop to be heard");
  EXPECT_FALSE(manager.has_more());
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  const Notification change = manager.next();
  EXPECT_EQ(change.sender, successor);
  EXPECT_TRUE(change.says(main_pid(successor))) << change.text;
  EXPECT_EQ(manager.next_that_says("STOPPING=1").sender, successor);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

// ── Where nobody listens ──────────────────────────────────────────────────────────────────────────────────────────

void expect_a_whole_life(Baton& baton, const std::string& complaint) {
  const pid_t group = baton.pid();
  Client client = baton.connect();
  EXPECT_EQ(client.get("/bytes/1").body, pattern(1));
  const std::regex line("the service manager cannot be reached.*" + complaint);
  baton.await_log(line);
  EXPECT_EQ(baton.count_log_lines(line), 1u) << baton.log();
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  baton.upgrade();
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
  client.close();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  expect_nothing_left(baton, group);
}

TEST(NotifyNobody, AManagerThatIsGoneDisturbsNothing) {
  Origin origin;
  const TempDir directory;
  Settings settings(origin.address());
  settings.shell = "export WATCHDOG_USEC=100000 NOTIFY_SOCKET=" + directory / "nobody";
  Baton baton(settings);
  expect_a_whole_life(baton, "No such file");
}

TEST(NotifyNobody, AManagerWhoseQueueIsFullDisturbsNothing) {
  Origin origin;
  const NotifySocket manager;
  manager.fill();
  Settings settings(origin.address());
  settings.shell = "export WATCHDOG_USEC=100000 NOTIFY_SOCKET=" + manager.address();
  Baton baton(settings);
  expect_a_whole_life(baton, "Resource temporarily unavailable");
}

TEST(NotifyNobody, AnAddressThatIsTooLongDisturbsNothing) {
  Origin origin;
  Settings settings(origin.address());
  settings.shell = "export NOTIFY_SOCKET=/" + std::string(200, 'x');
  Baton baton(settings);
  expect_a_whole_life(baton, "File name too long");
}

TEST(NotifyAbstract, AnAbstractAddressIsReached) {
  Origin origin;
  NotifySocket manager(NotifySocket::Kind::abstract);
  Settings settings(origin.address());
  settings.shell = "export NOTIFY_SOCKET='" + manager.address() + "'";
  Baton baton(settings);
  EXPECT_TRUE(manager.next().says("READY=1"));
  const pid_t predecessor = baton.pid();
  baton.upgrade();
  EXPECT_TRUE(manager.next().says(main_pid(baton.pid())));
  EXPECT_EQ(manager.next().sender, predecessor);
}

}  // namespace
}  // namespace baton::harness
