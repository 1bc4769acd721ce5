// What an upgrade that loses one of its sides must leave behind besides the connections that it had.
#include <signal.h>

#include <regex>

#include "crash/shared_death.hpp"
#include "harness/origin.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

class CrashInAnUpgrade : public testing::Test {
 protected:
  CrashInAnUpgrade() {
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.shell = death.in_shell();
  }

  void dies(pid_t pid, int at, bool after, int signal = SIGKILL) {
    death->call = Death::Call::sendmsg;
    death->signal = signal;
    death->after = after;
    death->at = at;
    death->pid = pid;
  }

  Origin origin;
  SharedDeath death;
  Settings settings{origin.address()};
};

TEST_F(CrashInAnUpgrade, OfAPredecessorThatHasCancelledItLeavesASuccessorThatAccepts) {
  settings.handoff += ", probation: 60s, finish_timeout: 60s";
  Baton baton(settings);
  constexpr int requests = 50;  // since the parent was told last
  Client idle = baton.connect();
  for (int i = 0; i < requests; ++i) idle.get("/bytes/1");
  const pid_t before = worker_at_rest(baton);
  baton.begin_upgrade();
  baton.await_log(std::regex("on probation"));
  Client newcomer = baton.connect(), held = baton.connect();
  newcomer.get("/bytes/2");
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Client admin(unix_socket(baton.directory() / "admin.sock"));
  admin.send("POST /rollback HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  baton.await_number("connections.total", 2);  // one has come back, and the successor waits for the other
  ::kill(before, SIGKILL);
  baton.await_log(std::regex("serving: .* generation 2"));
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7)) << baton.log();
  EXPECT_EQ(newcomer.get("/bytes/8").body, pattern(8)) << baton.log();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(baton.connect().get("/bytes/9").body, pattern(9)) << baton.log();
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_GE(baton.number("requests_total"), requests) << "counters do not go back";
  EXPECT_EQ(baton.number("last_upgrade.to_pid"), baton.number("pid"));
}

// It may have taken the connection that it was offered, and then our copy of that may be old.
TEST_F(CrashInAnUpgrade, OfAPredecessorWhoseSuccessorHangsEndsWhatIsInDoubt) {
  settings.handoff = "ready_timeout: 1s, step_timeout: 15s, finish_timeout: 0s";
  Baton baton(settings);
  Client offered = baton.connect();
  offered.get("/bytes/1");
  const pid_t before = worker_at_rest(baton);
  dies(0, 5, false, SIGSTOP);  // before its Adopted
  death->is_for_next = true;
  baton.begin_upgrade();
  await([&] { return death->victim != 0; }, "it to hang\n" + baton.log());
  ::kill(before, SIGKILL);
  await_another_worker(baton, before);
  ::kill(death->victim, SIGKILL);
  EXPECT_EQ(baton.connect().get("/bytes/7").body, pattern(7)) << baton.log();
  std::string rest;
  (void)offered.read_to_end(rest);
  EXPECT_EQ(rest, "");
}

// It hangs with prepared connections, so that its predecessor takes them back and kills it.
TEST_F(CrashInAnUpgrade, OfASuccessorThatWasGivenUpTouchesNothing) {
  settings.handoff = "ready_timeout: 15s, step_timeout: 500ms, finish_timeout: 0s";
  Baton baton(settings);
  Client slow = baton.connect();
  slow.send(get_request("/bytes/30000000", "Connection: close\r\n"));
  baton.await_number("connections.exchange", 1);
  const pid_t worker = worker_at_rest(baton);
  dies(0, 5, false, SIGSTOP);  // before its Adopted
  death->is_for_next = true;
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade: rolled back"));
  await([&] { return !is_alive(death->victim); }, "it to be killed\n" + baton.log());
  const auto is_alone = [&] { return children_of(baton.pid()).size() == 1 && children_of(worker).size() == 1; };
  await(is_alone, "its keeper to end");
  std::string rest;
  EXPECT_EQ(slow.read_to_end(rest), End::fin) << baton.log();
  EXPECT_EQ(rest.substr(rest.find("\r\n\r\n") + 4), pattern(30'000'000));
}

}  // namespace
}  // namespace baton::harness
