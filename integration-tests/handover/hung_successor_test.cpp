// A real successor is stopped, or killed, when it already owns connections: what the predecessor owns is served, and
// the rest does not stay for ever.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class FailingSuccessor : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    // A hanging one is killed drain_timeout plus twice step_timeout after the failure.
    settings.handoff = "ready_timeout: 15s, finish_timeout: 15s, step_timeout: 1s, drain_timeout: 1s";
    return settings;
  }

  // An upgrade in which the successor has adopted `idle`, and `held` has yet to move.
  void begin_and_hold() {
    held.send(get_request("/held"));
    origin.gate().await_arrivals(1);
    idle.get("/bytes/1");
    baton.begin_upgrade();
    baton.await_number("connections.total", 1);
    successor = children_of(baton.pid()).at(0);
    EXPECT_EQ(idle.get("/bytes/2").body, pattern(2)) << "by the successor";
  }
  void let_go() {
    origin.gate().open();
    EXPECT_EQ(held.response().body, "held");
  }
  // The upgrade fails while `held` is in flight.
  void begin_and_hang() {
    begin_and_hold();
    stop_and_await(successor);
    let_go();
    const std::string line = baton.await_log(log_lines::upgrade_failed);
    EXPECT_NE(line.find("moved=1 "), std::string::npos) << line;
    EXPECT_EQ(held.get("/bytes/3").body, pattern(3)) << "by the predecessor again";
  }
  void expect_lost_with_its_owner(Client& client) {
    std::string bytes;
    client.read_to_end(bytes);
    EXPECT_EQ(bytes, "");
  }
  void expect_that_all_goes_on() {
    expect_one_instance(baton);
    baton.upgrade();
    EXPECT_EQ(held.get("/bytes/4").body, pattern(4));
    expect_one_instance(baton);
  }

  Origin origin;
  Baton baton{settings(origin)};
  pid_t successor = 0;
  Client idle = baton.connect();
  Client held = baton.connect();
};

TEST_F(FailingSuccessor, ThatHangsIsKilledOnceWhatItAdoptedMustHaveEnded) {
  begin_and_hang();
  await([this] { return !is_alive(successor); }, "the successor to be killed");
  expect_lost_with_its_owner(idle);
  expect_that_all_goes_on();
}

TEST_F(FailingSuccessor, ThatHangsIsNotInTheWayOfTheNextUpgrade) {
  begin_and_hang();
  baton.upgrade();
  EXPECT_EQ(held.get("/bytes/5").body, pattern(5));
  expect_lost_with_its_owner(idle);
  expect_that_all_goes_on();
}

TEST_F(FailingSuccessor, ThatWakesServesWhatItAdoptedAndEnds) {
  begin_and_hold();
  idle.send("GET /bytes/6 HTTP/1.1\r\n");
  stop_and_await(successor);
  let_go();
  baton.await_log(log_lines::upgrade_failed);
  ::kill(successor, SIGCONT);
  idle.send("Host: a\r\n\r\n");
  EXPECT_EQ(idle.response().body, pattern(6));
  idle.expect_fin();
  idle.close();
  expect_that_all_goes_on();
}

TEST_F(FailingSuccessor, ThatIsKilledLeavesNoTemporaryOfThePidFile) {
  begin_and_hold();
  ASSERT_EQ(temporaries_of(baton, successor).size(), 1u);
  ::kill(successor, SIGKILL);
  baton.await_log(log_lines::upgrade_failed);
  // It is removed a moment after the failure has been logged.
  await([this] { return temporaries_of(baton, successor).empty(); }, "the temporary to be removed");
  expect_lost_with_its_owner(idle);
  let_go();
  expect_that_all_goes_on();
}

TEST_F(FailingSuccessor, ThatDiesTogetherWithThePredecessorLeavesItsTemporaryToTheNextStart) {
  begin_and_hold();
  ASSERT_EQ(temporaries_of(baton, successor).size(), 1u);
  ::kill(baton.pid(), SIGSTOP);
  ::kill(successor, SIGKILL);
  baton.signal(SIGKILL);
  EXPECT_EQ(baton.await_exit(), (Ended{-1, SIGKILL}));
  EXPECT_EQ(temporaries_of(baton, successor).size(), 1u) << "nobody was left to remove it";
  baton.start_again();
  EXPECT_EQ(temporaries_of(baton, successor).size(), 0u);
  expect_one_instance(baton);
}

}  // namespace
}  // namespace baton::harness
