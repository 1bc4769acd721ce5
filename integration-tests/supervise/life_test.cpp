// A supervised Baton when nothing goes wrong: one PID, upgrades, signals, commands, ends.
#include <signal.h>
#include <unistd.h>

#include <list>
#include <regex>

#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

class SupervisedLife : public Supervised {};

TEST_F(SupervisedLife, KeepsItsPidAndEveryConnectionThroughFiveUpgrades) {
  std::list<Client> idle;
  for (int i = 0; i < 5; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
  Client download = baton.connect();
  const std::string body = pattern(20'000'000);
  download.send(get_request("/bytes/20000000"));
  read_head(download);
  std::string downloaded;
  for (int turn = 1; turn <= 5; ++turn) {
    downloaded += download.read_exactly(100'000);
    const std::string report = upgrade();
    EXPECT_NE(report.find("moved=6"), std::string::npos) << report;
    for (Client& client : idle) EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
    EXPECT_TRUE(is_alive(parent));
    EXPECT_EQ(baton.pid_in_file(), parent);
    EXPECT_EQ(baton.number("generation"), turn + 1);
    EXPECT_EQ(baton.number("supervisor"), parent);
  }
  downloaded += download.read_exactly(body.size() - downloaded.size());
  EXPECT_TRUE(downloaded == body);
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedLife, PassesHupAndUsr1On) {
  const std::string good = read_file(baton.config_path());
  const std::string log = baton.directory() / "behaviour";
  replace_file(baton.config_path(), good + "log: { access: { path: " + log + " } }\n");
  baton.signal(SIGHUP);
  baton.await_log(std::regex("reload: done"));
  EXPECT_EQ(baton.connect().get("/bytes/1").status(), 200);
  await([&] { return exists(log) && !read_file(log).empty(); }, "a line of the access log");
  ::unlink(log.c_str());
  baton.signal(SIGUSR1);
  await([&] { return exists(log); }, "the log to be opened anew");
  EXPECT_EQ(worker(), worker());
  EXPECT_EQ(stop(), (Ended{0, 0}));
}

TEST_F(SupervisedLife, AQuitWaitsForWhatIsInFlight) {
  Client waiting = baton.connect();
  waiting.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGQUIT);
  baton.await_log(std::regex(R"(stopping \(SIGQUIT\))"));
  origin.gate().open();
  EXPECT_EQ(waiting.response().body, "held");
  waiting.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  expect_nothing_left();
}

TEST_F(SupervisedLife, ClientsThatComeDuringAStopAreRefusedAndDoNotWait) {
  Client waiting = baton.connect();
  waiting.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  const pid_t serving = worker();
  const std::uint16_t port = baton.address().port;
  const auto listens = [port](pid_t pid) {
    return ("\n" + listeners_on(port)).find("\n" + std::to_string(pid) + " ") != std::string::npos;
  };
  EXPECT_TRUE(listens(serving));
  EXPECT_TRUE(listens(parent));
  baton.signal(SIGTERM);
  await([&] { return !listens(serving); }, "the worker to stop listening");
  // It says nothing more from now on; its next announcement would have no sockets.
  stop_and_await(serving);
  await([&] { return listeners_on(port).empty(); }, "the parent to stop listening");
  EXPECT_THROW(baton.connect(), Failure);
  ::kill(serving, SIGCONT);
  origin.gate().open();
  EXPECT_EQ(waiting.response().body, "held");
  waiting.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedLife, AFirstTermAfterAQuitStillWaitsForWhatIsInFlight) {
  Client waiting = baton.connect();
  waiting.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGQUIT);
  baton.await_log(std::regex(R"(stopping \(SIGQUIT\))"));
  baton.signal(SIGTERM);
  baton.await_log(std::regex(R"(stopping \(SIGTERM\))"));
  origin.gate().open();
  EXPECT_EQ(waiting.response().body, "held");
  waiting.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_EQ(baton.count_log_lines(std::regex("told to stop twice")), 0u) << baton.log();
}

TEST_F(SupervisedLife, ASecondTermStopsAtOnce) {
  Client waiting = baton.connect();
  waiting.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGTERM);
  baton.await_log(std::regex(R"(stopping \(SIGTERM\))"));
  baton.signal(SIGINT);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
  EXPECT_EQ(baton.count_log_lines(std::regex("replaces the crashed worker")), 0u);
}

TEST_F(SupervisedLife, CommandsAreObeyed) {
  const pid_t first = worker();
  const Outcome upgraded = ctl({"upgrade"});
  EXPECT_EQ(upgraded.code, 0) << upgraded.out << upgraded.err;
  EXPECT_NE(await_another_worker(first), first);
  const Outcome status = ctl({"status"});
  EXPECT_TRUE(std::regex_search(status.out, std::regex("supervisor +PID " + std::to_string(parent)))) << status.out;
  EXPECT_EQ(ctl({"stop"}).code, 0);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisedLife, AFailedUpgradeLeavesTheWorker) {
  const pid_t before = worker();
  install("/bin/false");
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade: failed"));
  EXPECT_EQ(worker(), before);
  install(baton_binary());
  upgrade();
  EXPECT_EQ(stop(), (Ended{0, 0}));
}

TEST_F(SupervisedLife, ATermDuringAnUpgradeStopsEverything) {
  replace_file(baton.binary_path(), "#!/bin/sh\nexec sleep 60\n", true);
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade begins"));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

// The parent may not know the new instance yet and signal the previous one.
TEST(SupervisedStop, IsNotLostAroundAnUpgrade) {
  const Origin origin;
  for (int i = 0; i < 20; ++i) {
    Settings settings(origin.address());
    settings.arguments = {"--supervise"};
    Baton baton(settings);
    baton.begin_upgrade();
    baton.await_log(log_lines::upgrade_report);
    baton.signal(SIGTERM);
    ASSERT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  }
}

TEST_F(SupervisedLife, TheWorkerDoesNotOutliveTheParent) {
  const pid_t last = worker();
  ::kill(parent, SIGKILL);
  baton.await_log(std::regex("the supervisor, PID " + std::to_string(parent) + ", is gone"));
  await([&] { return !is_alive(last); }, "the worker to end");
  EXPECT_FALSE(is_listening(baton.address()));
  EXPECT_FALSE(baton.lock_is_held());
}

TEST_F(SupervisedLife, NeitherTheParentNorItsWorkersGatherDescriptors) {
  upgrade();
  const auto count_of = [](pid_t pid) {
    return await_standstill([pid] { return descriptor_count(pid); }, "the descriptors of " + std::to_string(pid));
  };
  await_known(worker());
  const std::size_t parents = count_of(parent);
  const std::size_t workers = count_of(worker());
  for (int i = 0; i < 3; ++i) {
    upgrade();
    await_known(worker());
    baton.signal(SIGHUP);
    baton.await_log(std::regex("reload: done"));
  }
  await_descriptors_at_most(parents, parent);
  await_descriptors_at_most(workers, worker());
}

TEST_F(SupervisedLife, WorkersAreInAGroupOfTheirOwn) {
  EXPECT_NE(::getpgid(worker()), ::getpgid(parent));
  upgrade();
  EXPECT_NE(::getpgid(worker()), ::getpgid(parent));
}

TEST(SupervisedStart, ThatFailsEndsTheParentWithTheSameCode) {
  const TempDir directory;
  replace_file(directory / "baton.yaml", "version: 1\nnonsense: true\n");
  const Outcome outcome = run_baton({"run", "--supervise", "-c", directory / "baton.yaml"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_NE(outcome.err.find("nonsense"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.err.find("replaces"), std::string::npos) << outcome.err;
}

TEST(SupervisedStart, AStopBeforeTheWorkerServesIsNoFailure) {
  const TempDir directory;
  const std::string never_serves = directory / "never-serves";
  replace_file(never_serves, "#!/bin/sh\nexec sleep 1000\n", true);
  // The parent starts the path by which it was started.
  Process process({{"bash", "-c", "exec -a \"$1\" \"$0\" run --supervise", baton_binary(), never_serves}});
  process.await_line(Process::Stream::err, std::regex("supervisor: started PID"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.await_exit(), (Ended{0, 0})) << process.err();
}

}  // namespace
}  // namespace baton::harness
