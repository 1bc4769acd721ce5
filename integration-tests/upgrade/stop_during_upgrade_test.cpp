// Signals that end the service during an upgrade or just after one: both processes end as a stop promises, and leave
// nothing behind.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

const std::regex upgrade_begins{"upgrade begins"};
const std::regex second_signal{"second signal"};

// The program has started far enough that signals wait until they are read; before that, one kills it like any other.
bool reads_its_signals(pid_t pid) {
  std::error_code gone;
  // Until it executes the program, it has its parent's descriptors.
  const std::filesystem::path executed = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone);
  if (executed != std::filesystem::canonical(baton_binary())) return false;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
    if (std::filesystem::read_symlink(entry.path(), gone) == "anon_inode:[signalfd]") return true;
  }
  return false;
}

class StopDuringUpgrade : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 15s";  // a held request delays the upgrade until the gate opens
    settings.own_binary = true;
    return settings;
  }

  // An upgrade in which everything but `held` has moved.
  void begin_and_hold() {
    held.send(get_request("/half/100000"));
    origin.gate().await_arrivals(1);
    idle.get("/bytes/1");
    baton.begin_upgrade();
    baton.await_number("connections.total", 1);
    EXPECT_EQ(idle.get("/bytes/1").body, pattern(1)) << "by the successor";
    successor = children_of(baton.pid()).at(0);
  }
  void let_go() {
    origin.gate().open();
    EXPECT_EQ(held.response().body, pattern(100'000)) << "what is in flight is not cut";
  }
  // A request in the successor that ends when its own gate opens.
  void begin_late(Client& late) {
    origin.on("/late", [this](Exchange& exchange) {
      late_gate.pass();
      exchange.respond("late");
    });
    late.send(get_request("/late"));
    late_gate.await_arrivals(1);
  }
  void TearDown() override { late_gate.open(); }
  void await_that_the_stop_was_heard() {
    await([this] { return baton.readyz() == 503; }, "the service to be not ready any more");
  }

  Gate late_gate;
  Origin origin;
  Baton baton{settings(origin)};
  const pid_t group = baton.pid();
  pid_t successor = 0;
  Client idle = baton.connect();
  Client held = baton.connect();
};

TEST_F(StopDuringUpgrade, ASecondTermStopsBothAtOnceAndLeavesNoPath) {
  begin_and_hold();
  baton.signal(SIGTERM);
  await_that_the_stop_was_heard();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  await([this] { return !is_alive(successor); }, "the successor to be killed");
  EXPECT_EQ(baton.count_log_lines(second_signal), 1u) << baton.log();
  expect_nothing_left(baton, group);
}

TEST_F(StopDuringUpgrade, ATermAfterTheFirstAdoptedFinishesTheUpgradeAndStopsTheSuccessor) {
  begin_and_hold();
  baton.signal(SIGTERM);
  await_that_the_stop_was_heard();
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2)) << "nothing has stopped yet";
  let_go();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  idle.expect_fin();
  held.expect_fin();
  await([this] { return !is_alive(successor); }, "the successor to stop");
  EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_report), 1u) << baton.log();
  expect_nothing_left(baton, group);
}

// As Ctrl-C at a terminal or a supervisor does it: both processes get the signal, and the successor also gets it from
// its predecessor.
TEST_F(StopDuringUpgrade, ATermToTheWholeGroupCutsNothing) {
  Client tunnel = baton.connect();
  tunnel.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(tunnel.response().status(), 101);
  begin_and_hold();
  ::kill(-group, SIGTERM);
  await_that_the_stop_was_heard();
  let_go();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  idle.expect_fin();
  held.expect_fin();
  tunnel.send("still here");
  EXPECT_EQ(tunnel.read_exactly(10), "still here") << "a tunnel ends by itself, or when the time is over";
  tunnel.half_close();
  tunnel.expect_fin();
  await([this] { return !is_alive(successor); }, "the successor to stop");
  EXPECT_EQ(baton.count_log_lines(second_signal), 0u) << baton.log();
  expect_nothing_left(baton, group);
}

TEST_F(StopDuringUpgrade, ATermToASuccessorThatHasNothingYetEndsItAlone) {
  idle.get("/bytes/1");
  // Its predecessor is stopped, so it gets no Inherit.
  replace_file(baton.binary_path(), "#!/bin/sh\nkill -STOP $PPID\nexec " + baton_in_shell() + " \"$@\"\n", true);
  baton.begin_upgrade();
  await([this] { return children_of(baton.pid()).size() == 1; }, "the successor to be started");
  successor = children_of(baton.pid()).front();
  await([this] { return reads_its_signals(successor); }, "the successor to read its signals");
  ::kill(successor, SIGTERM);
  await([this] { return !is_alive(successor); }, "the successor to end");
  baton.signal(SIGCONT);
  const std::string line = baton.await_log(log_lines::upgrade_failed);
  EXPECT_NE(line.find("the successor exited with code 1"), std::string::npos) << line;
  EXPECT_EQ(baton.count_log_lines(std::regex("cannot succeed")), 0u) << "it waited for nothing\n" << baton.log();
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
  expect_one_instance(baton);
  replace_file(baton.binary_path(), read_file(baton_binary()), true);
  baton.upgrade();
  EXPECT_EQ(idle.get("/bytes/3").body, pattern(3));
  expect_one_instance(baton);
}

TEST_F(StopDuringUpgrade, AnUpgradeThatBeginsTheMomentAnotherEndsCanBeStopped) {
  begin_and_hold();
  Client late = baton.connect();
  begin_late(late);            // which delays the next upgrade
  ::kill(successor, SIGUSR2);  // remembered until it serves
  let_go();
  baton.finish_upgrade();
  await([this] { return baton.count_log_lines(upgrade_begins) == 2; }, "the next upgrade to begin");
  baton.signal(SIGTERM);
  late_gate.open();
  EXPECT_EQ(late.response().body, "late");
  late.close();
  idle.expect_fin();
  held.expect_fin();
  expect_nothing_left(baton, group);
}

TEST_F(StopDuringUpgrade, SignalsInTheMomentOfTheChangeEndEverything) {
  for (const std::vector<int>& stop : std::vector<std::vector<int>>{{SIGTERM}, {SIGTERM, SIGINT}, {SIGINT, SIGTERM}}) {
    Baton other(settings(origin));
    Client client = other.connect();
    client.get("/bytes/1");
    const pid_t first = other.pid();
    other.begin_upgrade();
    await([&] { return other.pid_in_file() != first; }, "the PID file to name the successor");
    const pid_t second = other.pid_in_file();
    ::kill(second, SIGUSR2);
    for (const int one : stop) ::kill(second, one);
    std::string nothing;
    client.read_to_end(nothing);
    EXPECT_EQ(nothing, "");
    EXPECT_EQ(other.await_exit(), (Ended{0, 0})) << "the first of the line has nothing to do with it";
    expect_nothing_left(other, first);
  }
}

}  // namespace
}  // namespace baton::harness
