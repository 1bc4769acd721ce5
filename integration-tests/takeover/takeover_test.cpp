// An external successor succeeds the running instance, with every live connection, and another succeeds that one.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>
#include <list>

#include "harness/aftermath.hpp"
#include "harness/origin.hpp"
#include "serving_every_kind.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

TEST(TakeoverOfEveryKind, CarriesEveryConnectionAndTheNextOneCarriesThemBack) {
  versions::ServingEveryKind serving;
  Taker there(serving.baton);
  there.await_succession(serving.baton);
  Taker back(serving.baton);
  back.await_succession(serving.baton, there);
  serving.clients.go_on();
  expect_one_instance(serving.baton);
}

class Takeover : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.own_binary = true;
    return settings;
  }
  void change_configuration(const std::string& part, const std::string& instead) const {
    std::string text = read_file(baton.config_path());
    const std::size_t at = text.find(part);
    ASSERT_NE(at, std::string::npos) << text;
    replace_file(baton.config_path(), text.replace(at, part.size(), instead));
  }

  Origin origin;
  Baton baton{settings()};
  Client client = baton.connect();
};

TEST_F(Takeover, IsNamedInTheLogAndInTheStatus) {
  client.get("/bytes/1");
  const pid_t before = baton.pid();
  Taker taker(baton);
  taker.await_succession(baton);
  const std::string who = "PID " + std::to_string(taker.pid()) + " (user " + std::to_string(::geteuid()) + ")";
  EXPECT_NE(baton.log().find("taken over by " + who), std::string::npos) << baton.log();
  EXPECT_EQ(baton.number("last_upgrade.from_pid"), before);
  EXPECT_EQ(baton.number("last_upgrade.to_pid"), taker.pid());
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_EQ(baton.number("accepted_total"), 1);
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  expect_one_instance(baton);
}

TEST_F(Takeover, TenTimesBackAndForthLeavesEveryClientOnItsSocketAndNoDescriptorBehind) {
  std::list<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  std::unique_ptr<Taker> runs;
  std::size_t descriptors = 0;
  for (std::size_t i = 1; i <= 10; ++i) {
    auto next = std::make_unique<Taker>(baton);
    runs ? next->await_succession(baton, *runs) : next->await_succession(baton);
    runs = std::move(next);
    for (Client& one : clients) EXPECT_EQ(one.get("/bytes/" + std::to_string(i)).body, pattern(i));
    origin.close_idle_connections();
    baton.await_number("upstream_idle", 0);
    if (i == 1) descriptors = descriptor_count(baton.pid());
    await_descriptors_at_most(descriptors, baton.pid());
  }
  EXPECT_EQ(baton.number("accepted_total"), 21) << "nobody has had to connect again";
  EXPECT_EQ(baton.number("generation"), 11);
  expect_one_instance(baton);
}

TEST_F(Takeover, IsFollowedByAnUpgradeWhoseSuccessorIsNoTaker) {
  Taker taker(baton);
  taker.await_succession(baton);
  ::kill(taker.pid(), SIGUSR2);
  taker.await_log(log_lines::upgrade_report);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0})) << taker.err();
  baton.follow_pid_file();
  EXPECT_EQ(baton.number("generation"), 3);
  EXPECT_EQ(baton.status().at("last_upgrade").as_object().at("result").as_string(), "completed");
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  // And by a takeover of what an upgrade has started.
  Taker last(baton);
  taker.await_log(log_lines::upgrade_report);
  EXPECT_EQ(await_exit(baton.pid()), (Ended{0, 0})) << taker.err();
  baton.follow_pid_file();
  EXPECT_EQ(baton.pid(), last.pid());
  EXPECT_EQ(client.get("/bytes/8").body, pattern(8));
  expect_one_instance(baton);
}

TEST_F(Takeover, CanBeRolledBack) {
  Taker taker(baton);
  taker.await_succession(baton);
  const Outcome outcome = run_baton({"ctl", "rollback", "-c", baton.config_path()});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0})) << taker.err();
  baton.follow_pid_file();
  EXPECT_TRUE(read_file("/proc/" + std::to_string(baton.pid()) + "/cmdline").starts_with(baton.binary_path()))
      << "what ran before, as it was started";
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  expect_one_instance(baton);
}

TEST_F(Takeover, RollsBackToATakerToo) {
  Taker taker(baton);
  taker.await_succession(baton);
  Taker next(baton);
  next.await_succession(baton, taker);
  EXPECT_EQ(run_baton({"ctl", "rollback", "-c", baton.config_path()}).code, 0) << next.err();
  EXPECT_EQ(next.await_exit(), (Ended{0, 0})) << next.err();
  baton.follow_pid_file();
  EXPECT_EQ(baton.number("generation"), 4);
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
}

TEST_F(Takeover, BindsWhatIsAddedAndLeavesWhatIsNotNamed) {
  const Address added = loopback(free_port());
  client.get("/bytes/1");
  change_configuration("bind: [\"" + baton.address().text() + "\"]", "bind: [\"" + added.text() + "\"]");
  Taker taker(baton);
  taker.await_succession(baton);
  EXPECT_EQ(Client(added).get("/bytes/9").body, pattern(9));
  EXPECT_FALSE(is_listening(baton.address()));
  EXPECT_EQ(client.get("/bytes/8").body, pattern(8)) << "who is connected has an answer yet";
}

TEST_F(Takeover, WithoutAnybodyToSucceedIsAStart) {
  const pid_t group = baton.pid();
  client.close();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  expect_nothing_left(baton, group);
  Taker taker(baton);
  taker.await_log(std::regex("warn .*nobody listens on .*handoff.sock .*starts as the first"));
  taker.await_log(std::regex("serving: "));
  baton.follow_pid_file();
  EXPECT_EQ(baton.number("generation"), 1);
  expect_one_instance(baton);
}

TEST_F(Takeover, AfterACrashIsAStartToo) {
  baton.signal(SIGKILL);
  EXPECT_EQ(baton.await_exit(), (Ended{-1, SIGKILL}));
  ASSERT_TRUE(std::filesystem::exists(handoff_path(baton))) << "a stale socket";
  Taker taker(baton);
  taker.await_log(std::regex("warn .*nobody listens on"));
  taker.await_log(std::regex("serving: "));
  baton.follow_pid_file();
  expect_one_instance(baton);
  Taker next(baton);
  next.await_succession(baton, taker);
  expect_one_instance(baton);
}

TEST_F(Takeover, ASocketNamedOnTheCommandLineIsMetThere) {
  const std::string other_name = baton.directory() / "other.sock";
  std::filesystem::create_hard_link(handoff_path(baton), other_name);
  std::filesystem::remove(handoff_path(baton));
  Taker taker(taker_command(baton, "--takeover=" + other_name));
  taker.await_succession(baton);
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
}

TEST_F(Takeover, ASignalThatComesMeanwhileIsObeyedByTheTaker) {
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Taker taker(baton);
  baton.await_log(std::regex("upgrade begins: .* takes over"));
  baton.signal(SIGHUP);
  baton.signal(SIGUSR2);
  baton.await_log(log_lines::upgrade_refused);
  origin.gate().open();
  taker.await_succession(baton);
  taker.await_log(log_lines::reload_done);
  EXPECT_EQ(client.response().body, "held");
}

class LongTakeover : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 15s";   // a held request delays the takeover
    return settings;
  }
  Origin origin;
  Baton baton{settings()};
  Client idle = baton.connect();
  Client held = baton.connect();
};

TEST_F(LongTakeover, ASecondTermEndsThePredecessorAndLeavesThePathsToTheTaker) {
  idle.get("/bytes/1");
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Taker taker(baton);
  baton.await_log(std::regex("upgrade begins: .* takes over"));
  baton.await_number("connections.idle", 0);
  baton.signal(SIGTERM);
  baton.signal(SIGINT);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  taker.await_log(std::regex("this process is the instance now"));
  baton.follow_pid_file();
  EXPECT_EQ(baton.pid(), taker.pid());
  EXPECT_EQ(idle.get("/bytes/9").body, pattern(9));
  origin.gate().open();
  expect_one_instance(baton);
}

// A predecessor that gets its Hello and hangs.
TEST_F(Takeover, ATermToATakerThatHasNothingYetEndsItAlone) {
  const TempDir directory;
  Address silent = unix_socket(directory / "silent.sock");
  const Fd listener = listen_on(silent);
  Taker taker(taker_command(baton, "--takeover=" + silent.unix_path));
  pollfd visited{listener.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&visited, 1, Deadline(wait_max).poll_ms()), 1) << taker.err();
  Stream met(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  EXPECT_EQ(met.read_exactly(4), "BATN");
  taker.signal(SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{1, 0})) << taker.err();
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  expect_one_instance(baton);
}

// ── On probation ──────────────────────────────────────────────────────────────────────────────────────────────────

class TakeoverOnProbation : public testing::Test {
 protected:
  void start(const std::string& probation) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 100ms, probation: " + probation;
    baton = std::make_unique<Baton>(settings);
  }
  Origin origin;
  std::unique_ptr<Baton> baton;
};

TEST_F(TakeoverOnProbation, ThatIsPassedIsLikeAnyOther) {
  start("500ms");
  Client old = baton->connect();
  old.get("/bytes/1");
  Taker taker(*baton);
  baton->await_log(std::regex("on probation"));
  Client fresh = baton->connect();
  EXPECT_EQ(fresh.get("/bytes/3").body, pattern(3));
  taker.await_succession(*baton);
  EXPECT_EQ(old.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(fresh.get("/bytes/9").body, pattern(9));
}

TEST_F(TakeoverOnProbation, ThatIsCalledOffGivesBackWhatTheTakerHas) {
  start("30s");
  Client old = baton->connect();
  old.get("/bytes/1");
  Taker taker(*baton);
  baton->await_log(std::regex("on probation"));
  Client fresh = baton->connect();
  EXPECT_EQ(fresh.get("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status(), 101);
  const Outcome outcome = run_baton({"ctl", "rollback", "-c", baton->config_path()});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  taker.await_failure("the predecessor has everything back (the predecessor cancelled it)");
  fresh.send("still here");
  EXPECT_EQ(fresh.read_exactly(10), "still here");
  EXPECT_EQ(old.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(baton->number("generation"), 1);
  EXPECT_EQ(baton->number("connections.total"), 2);
}

TEST_F(TakeoverOnProbation, ATakerThatIsStoppedGivesTheServiceBack) {
  start("30s");
  Taker taker(*baton);
  baton->await_log(std::regex("on probation"));
  Client fresh = baton->connect();
  EXPECT_EQ(fresh.get("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status(), 101);
  ::kill(taker.pid(), SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0})) << "to stop was what it was told";
  baton->await_log(std::regex("upgrade: rolled back: the successor gave back what it had: told to stop by a signal"));
  fresh.send("still here");
  EXPECT_EQ(fresh.read_exactly(10), "still here");
  EXPECT_EQ(baton->connect().get("/bytes/9").body, pattern(9));
}

// The connections that have already moved come back, too.
TEST(TakeoverThatIsStopped, WhileConnectionsMoveGivesThemBack) {
  Origin origin;
  Settings settings(origin.address());
  settings.handoff += ", finish_timeout: 15s";
  Baton baton(settings);
  Client idle = baton.connect();
  idle.get("/bytes/1");
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Taker taker(baton);
  baton.await_log(std::regex("upgrade begins"));
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7));
  baton.await_number("connections.total", 1);      // the idle one has moved
  ::kill(taker.pid(), SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0})) << taker.err();
  baton.await_number("connections.total", 2);
  EXPECT_EQ(idle.get("/bytes/8").body, pattern(8));
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade: generation 1 to 2, .* moved=2 "));
}

}  // namespace
}  // namespace baton::harness
