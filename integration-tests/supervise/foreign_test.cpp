// A supervised Baton and external successors: one that takes it over ends the parent, and one that takes over may be
// supervised itself.
#include <csignal>

#include "supervise/supervised.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

class SupervisedTakeover : public Supervised {
 protected:
  Client client = baton.connect();
};

TEST_F(SupervisedTakeover, ByAForeignProcessEndsTheParentInOrder) {
  client.get("/bytes/1");
  await_known(worker());
  Taker taker(baton);
  baton.await_log(log_lines::upgrade_report);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  EXPECT_NE(baton.log().find("an external successor is the instance"), std::string::npos) << baton.log();
  baton.follow_pid_file();
  EXPECT_EQ(baton.pid(), taker.pid());
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_TRUE(baton.status().at("supervisor").is_null());
  ::kill(taker.pid(), SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0}));
  expect_nothing_left();
}

TEST_F(SupervisedTakeover, ByASupervisedProcessPutsTheServiceUnderThatOne) {
  client.get("/bytes/1");
  await_known(worker());
  Command command = taker_command(baton);
  command.argv.push_back("--supervise");
  Taker taker(command);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  baton.follow_pid_file();
  EXPECT_EQ(baton.pid(), taker.pid()) << "the parent";
  EXPECT_EQ(baton.number("supervisor"), taker.pid());
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  const pid_t before = worker();
  taker.await_log(std::regex("supervisor: PID " + std::to_string(before) + " is the instance"));
  ::kill(before, SIGKILL);
  taker.await_log(std::regex("serving: .* generation 3, .* in place of a crashed process"));
  EXPECT_NE(worker(), before);
  EXPECT_EQ(baton.connect().get("/bytes/9").body, pattern(9));
  ::kill(taker.pid(), SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0})) << taker.err();
  expect_nothing_left();
}

// The worker dies during a takeover: the external successor is the instance, and nothing here is restarted.
class SupervisedProbation : public Supervised {
 protected:
  SupervisedProbation() : Supervised([](Settings& settings) { settings.handoff = "step_timeout: 3s, probation: 30s"; }) {}
};

TEST_F(SupervisedProbation, AWorkerThatDiesMeanwhileLeavesTheServiceToTheTaker) {
  const pid_t before = worker();
  await_known(before);
  Taker taker(baton);
  baton.await_log(std::regex("on probation"));
  ::kill(before, SIGKILL);
  taker.await_log(std::regex("serving: .*in place of a crashed process"));
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  EXPECT_EQ(baton.log().find("in place of a crashed process"), std::string::npos) << "no other process ever listened";
  EXPECT_EQ(baton.log().find("replaces the crashed worker"), std::string::npos) << "its keeper has told the parent";
  EXPECT_EQ(baton.connect().get("/bytes/9").body, pattern(9));
  ::kill(taker.pid(), SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0}));
  expect_nothing_left();
}

}  // namespace
}  // namespace baton::harness
