// Upgrades while something has run out: the disk, the successor's descriptors.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstring>
#include <list>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Exhaustion : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.workers = 1;
    return settings;
  }
  // The shell applies $$ to the successor, which keeps its PID.
  static void put_before_the_successor(const Baton& baton, const std::string& shell) {
    replace_file(baton.binary_path(), "#!/bin/sh\n" + shell + "\nexec " + baton_in_shell() + " \"$@\"\n", true);
  }
  static void restore_binary(const Baton& baton) { replace_file(baton.binary_path(), read_file(baton_binary()), true); }

  Origin origin;
};

// A file that cannot grow stands for a full disk.
TEST_F(Exhaustion, AFullDiskStopsAnUpgradeBeforeAnythingHasMoved) {
  Baton baton(settings(origin));
  Client idle = baton.connect(), partial = baton.connect();
  idle.get("/bytes/1");
  partial.send("GET /bytes/3 HTTP/1.1\r\n");
  put_before_the_successor(baton, "ulimit -f 0");
  const std::string line = baton.failed_upgrade();
  EXPECT_NE(line.find(std::string("PID file")), std::string::npos) << line;
  EXPECT_NE(line.find(std::strerror(EFBIG)), std::string::npos) << line;
  EXPECT_NE(line.find("moved=0 "), std::string::npos) << line;
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
  expect_one_instance(baton);
  restore_binary(baton);
  baton.upgrade();
  partial.send("Host: a\r\n\r\n");
  EXPECT_EQ(partial.response().body, pattern(3));
  EXPECT_EQ(idle.get("/bytes/4").body, pattern(4));
  expect_one_instance(baton);
}

// The kernel leaves out the descriptors that do not fit, and marks the message (MSG_CTRUNC).
TEST_F(Exhaustion, WhatASuccessorWithFewDescriptorsCannotTakeStaysAndIsServedToItsEnd) {
  constexpr int moving = 5, waiting = 30;
  constexpr std::size_t free_descriptors = 28;  // for the five, its own and a newcomer, not for thirty with two each
  Settings few = settings(origin);
  few.handoff += ", finish_timeout: 200ms";
  Baton baton(few);
  const std::size_t limit = descriptor_count(baton.pid()) + free_descriptors;
  std::list<Client> idle, busy;
  for (int i = 0; i < moving; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
  for (int i = 0; i < waiting; ++i) busy.emplace_back(baton.address()).send(get_request("/half/1000"));
  origin.gate().await_arrivals(waiting);

  put_before_the_successor(baton, "ulimit -n " + std::to_string(limit));
  baton.begin_upgrade();
  const std::string report = baton.await_log(log_lines::upgrade_report);
  std::smatch left_behind;
  ASSERT_TRUE(std::regex_search(report, left_behind, std::regex(", left_behind=([1-9][0-9]*),"))) << report;
  const int staying = std::stoi(left_behind.str(1));
  EXPECT_NE(report.find("moved=" + std::to_string(moving + waiting - staying) + " "), std::string::npos) << report;
  EXPECT_NE(report.find("refused=" + std::to_string(staying) + " (too few descriptors"), std::string::npos) << report;
  for (Client& client : idle) EXPECT_EQ(client.get("/bytes/2").body, pattern(2)) << "by the successor";
  // It is complete, but no report looks as if everything had moved.
  const std::string left = std::to_string(staying) + " connections could not move and were left with PID " + std::to_string(baton.pid()) +
                           " for at most 30 s";
  baton.await_log(std::regex(std::to_string(staying) +
                             " connections could not be moved and are served here to their end, at most 30 s"));
  const boost::json::object last = baton.status().at("last_upgrade").as_object();
  EXPECT_EQ(last.at("result").as_string(), "completed");
  EXPECT_EQ(last.at("reason").as_string(), left);
  EXPECT_EQ(baton.number("last_upgrade.left_behind"), staying);
  baton.await_log(std::regex("warn .*upgrade: " + left));

  origin.gate().open();
  int ended = 0;
  for (Client& client : busy) {
    EXPECT_EQ(client.response().body, pattern(1000)) << "by whoever has it";
    try {
      client.get("/bytes/4");
    } catch (const ConnectionEnded&) {
      ++ended;
    }
  }
  EXPECT_EQ(ended, staying) << "those of the predecessor";
  busy.clear();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  baton.follow_pid_file();
  expect_one_instance(baton);
  baton.upgrade();
  for (Client& client : idle) EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
  expect_one_instance(baton);
}

TEST_F(Exhaustion, WhatIsCutAtTheEndOfTheDrainIsAnErrorThatSaysWhatItWas) {
  constexpr int staying = 30;
  Settings few = settings(origin);
  few.handoff += ", finish_timeout: 100ms, drain_timeout: 100ms";
  Baton baton(few);
  const std::size_t limit = descriptor_count(baton.pid()) + 20;
  std::list<Client> busy;
  for (int i = 0; i < staying; ++i) busy.emplace_back(baton.address()).send(get_request("/half/1000"));
  origin.gate().await_arrivals(staying);
  put_before_the_successor(baton, "ulimit -n " + std::to_string(limit));
  baton.begin_upgrade();
  const std::string report = baton.await_log(log_lines::upgrade_report);
  std::smatch left;
  ASSERT_TRUE(std::regex_search(report, left, std::regex("left_behind=([1-9][0-9]*)"))) << report;
  baton.await_log(std::regex("error.*time is over: " + left.str(1) + " connections are cut \\(exchange: " + left.str(1) + "\\)"));
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
}

// A request may be on its way from a client that cannot know of the refusal.
TEST_F(Exhaustion, AnIdleConnectionThatStaysIsAnsweredOnceMore) {
  constexpr int all = 30;
  Settings few = settings(origin);
  few.handoff += ", finish_timeout: 200ms";
  Baton baton(few);
  const std::size_t limit = descriptor_count(baton.pid()) + 20;
  std::list<Client> idle;
  for (int i = 0; i < all; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
  put_before_the_successor(baton, "ulimit -n " + std::to_string(limit));
  baton.begin_upgrade();
  const std::string report = baton.await_log(log_lines::upgrade_report);
  baton.await_log(std::regex("could not be moved and are served here"));
  int last_responses = 0;
  for (Client& client : idle) {
    const Response response = client.get("/bytes/2");
    EXPECT_EQ(response.body, pattern(2));
    if (response.field("Connection") != "close") continue;
    ++last_responses;
    client.expect_fin();
    client.close();
  }
  EXPECT_GT(last_responses, 0) << report;
  EXPECT_NE(report.find("moved=" + std::to_string(all - last_responses) + " "), std::string::npos) << report;
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << "nobody is left";
  baton.follow_pid_file();
  expect_one_instance(baton);
}

// The stop goes to the successor; its limit applies to what that could not take as well.
TEST_F(Exhaustion, AStopDuringTheUpgradeLimitsWhatStays) {
  constexpr int moving = 5, staying = 30;
  Settings few = settings(origin);
  few.timeouts = "shutdown: 100ms";
  few.handoff += ", finish_timeout: 6s, drain_timeout: 10m";
  Baton baton(few);
  const std::size_t limit = descriptor_count(baton.pid()) + 20;
  std::list<Client> idle, busy;
  for (int i = 0; i < moving; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
  for (int i = 0; i < staying; ++i) busy.emplace_back(baton.address()).send(get_request("/half/1000"));
  origin.gate().await_arrivals(staying);
  put_before_the_successor(baton, "ulimit -n " + std::to_string(limit));
  baton.begin_upgrade();
  baton.await_number("connections.total", staying);
  for (Client& client : idle) client.get("/bytes/2");  // from the successor, which has adopted them
  baton.signal(SIGTERM);
  baton.await_log(log_lines::upgrade_report);
  baton.await_log(std::regex("told to during the upgrade"));
  baton.await_log(std::regex("time is over: 30 connections are cut"));
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
}

// The supervisor may not know the new instance yet, and take the draining process for it.
TEST_F(Exhaustion, AStopOfTheSupervisorEndsAlsoAPredecessorThatOnlyDrains) {
  for (const bool knows_the_instance : {true, false, false, false, false, false}) {
    Settings supervised = settings(origin);
    supervised.arguments = {"--supervise"};
    supervised.handoff += ", finish_timeout: 200ms, drain_timeout: 10m";
    Baton baton(supervised);
    const pid_t predecessor = children_of(baton.pid()).front();
    const std::size_t limit = descriptor_count(predecessor) + 20;
    std::list<Client> idle;
    for (int i = 0; i < 30; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
    put_before_the_successor(baton, "ulimit -n " + std::to_string(limit));
    baton.begin_upgrade();
    const std::string report = baton.await_log(log_lines::upgrade_report);
    EXPECT_EQ(report.find("refused=0"), std::string::npos) << report;
    if (knows_the_instance) baton.await_log(std::regex("supervisor: PID .* is the instance, generation 2"));
    EXPECT_TRUE(is_alive(predecessor));
    baton.signal(SIGTERM);
    for (Client& client : idle) client.expect_fin();
    idle.clear();
    ASSERT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  }
}

// ── Newcomers beside what moves ───────────────────────────────────────────────────────────────────────────────────

// These descriptors are places for 256 connections with two legs each. More newcomers than that press on a successor
// while tunnels, which need two descriptors each, have yet to move.
class Newcomers : public Exhaustion {
 protected:
  static constexpr unsigned descriptors = 768;
  static constexpr std::size_t places = (descriptors - 256) / 2;
  static constexpr std::size_t tunnels_moving = 150;
  static constexpr std::size_t newcomers_pressing = 300;

  static Settings crowded(const Origin& origin, const std::string& handoff) {
    Settings settings(origin.address());
    settings.descriptors_max = descriptors;
    settings.tcp_binds = {loopback(free_port())};
    settings.handoff += handoff;
    return settings;
  }
  void open_tunnels(const Address& to) {
    for (std::size_t i = 0; i < tunnels_moving; ++i) {
      tunnels.emplace_back(to).get("/bytes/1");
      tunnels.back().send("GET /bytes/1000 HTTP/1.1\r\nHost:");
    }
  }
  void press(const Address& to) {
    for (std::size_t i = 0; i < newcomers_pressing; ++i) newcomers.emplace_back(to).send(get_request("/bytes/2"));
  }
  void expect_tunnels_whole() {
    for (Client& tunnel : tunnels) {
      tunnel.send(" a\r\n\r\n");
      EXPECT_EQ(tunnel.response().body, pattern(1000));
      EXPECT_EQ(tunnel.get("/bytes/3").body, pattern(3));
    }
  }

  std::list<Client> tunnels, newcomers;
};

TEST_F(Newcomers, WaitInTheQueueWhileTunnelsMove) {
  const Settings settings = crowded(origin, "");
  const Address& tcp = settings.tcp_binds.front();
  Baton baton(settings);
  open_tunnels(tcp);
  std::list<Client> fillers;                     // until the predecessor is full, so that all newcomers wait
  for (std::size_t i = tunnels_moving; i < places; ++i) fillers.emplace_back(tcp).get("/bytes/1");
  press(tcp);
  baton.await_log(log_lines::accepting_pauses);
  const std::string report = baton.upgrade();
  EXPECT_NE(report.find("refused=0,"), std::string::npos) << report;
  expect_tunnels_whole();
  fillers.clear();
  // Each newcomer that leaves makes room for a waiting one.
  for (; !newcomers.empty(); newcomers.pop_front()) EXPECT_EQ(newcomers.front().response().body, pattern(2));
  expect_one_instance(baton);
}

TEST_F(Newcomers, AreServedOnProbationButGetNoPlaceOfWhatIsStillToMove) {
  const Settings settings = crowded(origin, ", probation: 2s");
  const Address& tcp = settings.tcp_binds.front();
  Baton baton(settings);
  open_tunnels(tcp);
  baton.begin_upgrade();
  baton.await_log(std::regex("the successor is on probation"));
  press(tcp);
  EXPECT_EQ(newcomers.front().response().body, pattern(2)) << "by the successor";
  const std::string report = baton.finish_upgrade();
  EXPECT_NE(report.find("refused=0,"), std::string::npos) << report;
  newcomers.pop_front();
  expect_tunnels_whole();
  for (; !newcomers.empty(); newcomers.pop_front()) EXPECT_EQ(newcomers.front().response().body, pattern(2));
  expect_one_instance(baton);
}

}  // namespace
}  // namespace baton::harness
