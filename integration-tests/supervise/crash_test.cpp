// A crashed worker is replaced by the same version, on the same sockets.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <list>
#include <regex>

#include "harness/log_lines.hpp"
#include "harness/strace.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

class SupervisedCrash : public Supervised {
 protected:
  SupervisedCrash() : Supervised([](Settings& settings) {
      settings.limits = "uri_bytes: 4k";
      settings.handoff += ", survive: \"off\"";
    }) {}

  // By limits.uri_bytes of the first configuration.
  bool takes_a_long_uri() { return baton.connect().get("/bytes/1?" + std::string(2000, 'x')).status() == 200; }
};

TEST_F(SupervisedCrash, LosesNoConnectionThatWaitedInTheQueue) {
  const pid_t first = worker();
  await_known(first);
  stop_and_await(first);
  std::list<Client> waiting;
  for (int i = 0; i < 50; ++i) waiting.emplace_back(baton.address()).send(get_request("/bytes/77"));
  // What is on disk is no longer a Baton, nor a configuration.
  replace_file(baton.config_path(), "no configuration at all\n");
  install("/bin/false");
  ::kill(first, SIGKILL);
  for (Client& client : waiting) EXPECT_EQ(client.response().body, pattern(77)) << baton.log();
  EXPECT_NE(worker(), first);
  EXPECT_TRUE(takes_a_long_uri());
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_TRUE(baton.status().at("last_upgrade").is_null());
  EXPECT_EQ(baton.pid_in_file(), parent);
  EXPECT_EQ(baton.count_log_lines(std::regex("in place of a crashed process")), 1u);
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedCrash, BySegmentationFaultIsReplacedAsWellAndTheNextUpgradeWorks) {
  crash(SIGSEGV);
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
  Client client = baton.connect();
  client.get("/bytes/1");
  upgrade();
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(baton.number("generation"), 3);
}

TEST_F(SupervisedCrash, InMaintenanceIsReplacedInMaintenance) {
  EXPECT_EQ(run_baton({"ctl", "maintenance", "on", "-c", baton.config_path()}).code, 0);
  crash(SIGKILL);
  EXPECT_EQ(baton.connect().get("/bytes/5").status(), 503);
  EXPECT_TRUE(baton.status().at("maintenance").as_bool());
  EXPECT_EQ(run_baton({"ctl", "maintenance", "off", "-c", baton.config_path()}).code, 0);
  crash(SIGKILL);
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
}

// An ordinary user without a place for files: the lock is in memory, and the parent has it too.
TEST(SupervisedWithoutFiles, IsReplacedAsWellAndUpgraded) {
  const Origin origin;
  const TempDir directory;
  const Address web = loopback(free_port());
  const std::string config = directory / "baton.yaml";
  replace_file(config, "version: 1\nlisteners: [ { name: web, bind: \"" + web.text() + "\" } ]\n" +
                           "upstreams: [ { name: web, servers: [ { address: \"" + origin.address().text() + "\" } ] } ]\n");
  Command command{{"env", "-u", "XDG_RUNTIME_DIR", baton_binary_for_everyone(), "run", "--supervise", "-c", config}};
  if (::geteuid() == 0) {
    std::filesystem::permissions(directory.path(), std::filesystem::perms::others_exec, std::filesystem::perm_options::add);
    command = as_nobody(std::move(command));
  }
  Process parent(command);
  for (const int served : {1, 2}) {
    const std::regex known("supervisor: PID [0-9]+ is the instance, generation " + std::to_string(2 * served - 1));
    const std::string line = parent.await_line(Process::Stream::err, known);
    EXPECT_EQ(Client(web).get("/bytes/3").body, pattern(3));
    const pid_t worker = std::stoi(line.substr(line.find("PID ") + 4));
    ::kill(worker, SIGKILL);
    parent.await_line(Process::Stream::err, std::regex("in place of a crashed process"));
    EXPECT_EQ(Client(web).get("/bytes/5").body, pattern(5));
    parent.signal(SIGUSR2);
    parent.await_line(Process::Stream::err, log_lines::upgrade_report);
  }
  parent.signal(SIGTERM);
  EXPECT_EQ(parent.await_exit(), (Ended{0, 0})) << parent.err();
}

TEST_F(SupervisedCrash, AfterAReloadKeepsWhatThatAdded) {
  const Address added = loopback(free_port());
  const std::string before = read_file(baton.config_path());
  replace_file(baton.config_path(), std::regex_replace(before, std::regex(R"(listeners:\n)"),
                                                       "listeners:\n  - { name: added, bind: \"" + added.text() + "\" }\n"));
  baton.signal(SIGHUP);
  baton.await_log(std::regex("reload: done"));
  EXPECT_EQ(Client(added).get("/bytes/3").body, pattern(3));
  const pid_t first = worker();
  await_known(first);
  stop_and_await(first);
  Client waiting(added);
  waiting.send(get_request("/bytes/4"));
  ::kill(first, SIGKILL);
  EXPECT_EQ(waiting.response().body, pattern(4)) << baton.log();
}

TEST_F(SupervisedCrash, AgainAndAgainIsGivenUpWithAClearLine) {
  pid_t now = worker();
  for (int i = 0; i < 4; ++i) {
    const auto begin = Clock::now();
    now = crash();
    const Milliseconds pause(i == 0 ? 0 : 1000 << (i - 1));
    EXPECT_GE(Clock::now() - begin, pause) << "it backs off";
  }
  await_known(now);
  ::kill(now, SIGKILL);
  EXPECT_EQ(baton.await_exit(), (Ended{1, 0})) << baton.log();
  EXPECT_EQ(baton.count_log_lines(std::regex("gives up after 5 crashes in a row")), 1u) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedCrash, AStopWhileNobodyServesEndsInOrder) {
  crash();
  const pid_t second = worker();
  await_known(second);
  ::kill(second, SIGKILL);
  baton.await_log(std::regex("the next replacement starts in 1 s"));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedCrash, DoesNotMakeARollbackForgetWhatRanBefore) {
  const std::string first_version = version();
  install(BATON_OTHER_VERSION);
  upgrade();
  ASSERT_EQ(version(), "0.0.9-other");
  const std::size_t descriptors =
      await_standstill([now = worker()] { return descriptor_count(now); }, "the worker's descriptors");
  const pid_t before = crash();
  ASSERT_EQ(version(), "0.0.9-other");
  await_descriptors_at_most(descriptors, before);  // it got nothing of the parent's
  install("/bin/false");
  const Outcome outcome = ctl({"rollback"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
  await_another_worker(before);
  EXPECT_EQ(version(), first_version);
  EXPECT_EQ(stop(), (Ended{0, 0}));
}

// Whichever process is killed at whichever of its messages: afterwards one serves, and the next upgrade works.
class SupervisedUpgrade : public Supervised, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    if (!can_attach()) GTEST_SKIP() << "strace is not installed, or may not trace here";
  }
};

TEST_P(SupervisedUpgrade, WhosePredecessorIsKilledLeavesAnInstance) {
  const pid_t predecessor = worker();
  await_known(predecessor);
  Process tracer({{"sh", "-c", "exec strace -f -b execve -o /dev/null " +
                                   injection("recvmsg", "signal=KILL", GetParam()) + " -p " + std::to_string(predecessor)}});
  tracer.await_line(Process::Stream::err, std::regex("attached"));
  baton.begin_upgrade();
  await_another_worker(predecessor);
  await([&] { return !is_alive(predecessor); }, "the predecessor to end");
  EXPECT_TRUE(is_alive(parent));
  EXPECT_EQ(baton.connect().get("/bytes/4").body, pattern(4)) << baton.log();
  EXPECT_EQ(baton.pid_in_file(), parent);
  await_known(worker());
  upgrade();
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_P(SupervisedUpgrade, WhoseSuccessorIsKilledLeavesAnInstance) {
  const pid_t predecessor = worker();
  replace_file(baton.binary_path(),
               "#!/bin/sh\nexec strace -D -f -qq -o /dev/null " + injection("recvmsg", "signal=KILL", GetParam()) + " " +
                   baton_in_shell() + " \"$@\"\n",
               true);
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade: (failed|rolled back|generation)"));
  install(baton_binary());
  await([&] { return baton.readyz() == 200; }, "somebody to serve");
  const pid_t now = worker();
  if (now == predecessor) {
    EXPECT_EQ(baton.count_log_lines(std::regex("replaces the crashed worker")), 0u)
        << "the predecessor took everything back";
  }
  end_tracing(now);
  await_known(now);
  upgrade();
  EXPECT_EQ(baton.connect().get("/bytes/4").body, pattern(4));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
}

INSTANTIATE_TEST_SUITE_P(At, SupervisedUpgrade, testing::Values(2, 5, 7));

// ── Told to stop ──────────────────────────────────────────────────────────────────────────────────────────────────

class SupervisedStop : public Supervised {
 protected:
  SupervisedStop() : Supervised([](Settings& settings) { settings.handoff = "ready_timeout: 15s, step_timeout: 15s, finish_timeout: 15s"; }) {}
  void hold(Client& client) {
    client.send(get_request("/held"));
    origin.gate().await_arrivals(1);
  }
};

TEST_F(SupervisedStop, AWorkerThatIsKilledWhileItStopsLeavesNothingBehind) {
  const pid_t before = worker();
  await_known(before);
  Client client = baton.connect();
  hold(client);
  EXPECT_EQ(ctl({"stop"}).code, 0);
  ::kill(before, SIGKILL);
  EXPECT_EQ(baton.await_exit(), (Ended{1, 0}));
  EXPECT_NE(baton.log().find("was killed by signal 9"), std::string::npos) << baton.log();
  expect_nothing_left();
}

// The predecessor got the stop, and dies with it in the middle of the upgrade.
TEST_F(SupervisedStop, IsNotForgottenWithTheWorkerThatWasTold) {
  const pid_t before = worker();
  await_known(before);
  Client idle = baton.connect();
  idle.get("/bytes/1");
  Client client = baton.connect();
  hold(client);
  ::kill(parent, SIGUSR2);
  baton.await_number("connections.total", 1);
  idle.get("/bytes/2");                            // by the successor: too late to cancel
  ::kill(parent, SIGTERM);
  await([&] { return baton.status().at("state") == "stopping"; }, "the worker to have been told\n" + baton.log());
  ::kill(before, SIGKILL);
  // Its keeper finishes the upgrade, so that the successor is told, and serves what was held to its end.
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedStop, OfAWorkerThatHangsIsAMatterOfTheSecondSignal) {
  const pid_t before = worker();
  await_known(before);
  ::kill(before, SIGSTOP);
  ::kill(parent, SIGTERM);
  ::kill(parent, SIGINT);
  baton.await_log(std::regex("told to stop twice"));
  EXPECT_EQ(baton.await_exit(), (Ended{1, 0})) << baton.log();
  expect_nothing_left();
}

}  // namespace
}  // namespace baton::harness
