// External successors in other namespaces, in deep folders, of another user, and with sockets from service managers.
#include <signal.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/origin.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

class TakerFromElsewhere : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.timeouts = "idle: 60s, head: 60s";
    return settings;
  }
  static bool can_unshare(const std::vector<std::string>& how) {
    std::vector<std::string> command = how;
    command.push_back("true");
    return run({std::move(command)}).code == 0;
  }

  Origin origin;
};

class OtherClock : public TakerFromElsewhere, public testing::WithParamInterface<std::string> {};

// As in another container: its PIDs mean nothing here, and its clock differs.
TEST_P(OtherClock, AndOtherPidsMakeNoDifference) {
  const std::vector<std::string> elsewhere{"unshare", "--pid",  "--fork",      "--kill-child",
                                           "--mount-proc", "--time", "--monotonic", GetParam(), "--boottime", GetParam()};
  if (!can_unshare(elsewhere)) GTEST_SKIP() << "no namespaces may be made here";
  Baton baton(settings());
  Client idle = baton.connect();
  idle.get("/bytes/1");
  Client head = baton.connect();
  head.send("GET /bytes/3 HTTP/1.1\r\n");
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);

  Taker taker(taker_command(baton, "--takeover", elsewhere));
  baton.await_log(std::regex("upgrade begins: .* takes over"));
  origin.gate().open();
  baton.await_log(std::regex("taken over by PID [0-9]+ "));
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  EXPECT_EQ(baton.number("supervisor"), 1) << "the first process there is a parent";
  EXPECT_EQ(baton.pid_in_file(), 1) << "as it is called there";
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2)) << "no deadline has passed";
  head.send("Host: a\r\n\r\n");
  EXPECT_EQ(head.response().body, pattern(3));

  // And back from there, where our PIDs mean nothing either.
  Taker back(baton);
  taker.await_log(std::regex("taken over by a process in another PID namespace"));
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0})) << taker.err();
  baton.follow_pid_file();
  EXPECT_EQ(baton.pid(), back.pid());
  EXPECT_EQ(idle.get("/bytes/5").body, pattern(5));
  expect_one_instance(baton);
}

INSTANTIATE_TEST_SUITE_P(By, OtherClock, testing::Values("100000", "-1000"),
                         [](const auto& row) { return row.param[0] == '-' ? "seconds_before" : "seconds_ahead"; });

TEST_F(TakerFromElsewhere, MeetsTheInstanceInAFolderThatIsDeeperThanAUnixSocketAllows) {
  const TempDir directory;
  std::filesystem::path deep = directory.path();
  for (int i = 0; i < 3; ++i) deep /= std::string(60, 'd');
  std::filesystem::create_directories(deep);
  const Address address = loopback(free_port());
  const std::string config = directory / "baton.yaml";
  replace_file(config, "version: 1\nlisteners: [ { name: web, bind: \"" + address.text() +
                           "\" } ]\nupstreams: [ { name: app, servers: [ { address: \"" + origin.address().text() +
                           "\" } ] } ]\nhandoff: { socket: " + (deep / "handoff.sock").string() +
                           " }\nadmin: { bind: \"unix:" + directory / "admin.sock" + "\" }\npid_file: " + directory / "baton.pid" +
                           "\nworkers: 1\n");
  const Command command{{baton_binary(), "run", "--takeover", "-c", config}};
  Taker first(command);
  first.await_log(std::regex("serving: "));
  Client client(address);
  client.get("/bytes/1");
  Taker second(command);
  EXPECT_EQ(first.await_exit(), (Ended{0, 0})) << first.err() << second.err();
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  client.close();
  second.signal(SIGTERM);
  EXPECT_EQ(second.await_exit(), (Ended{0, 0})) << second.err();
  EXPECT_FALSE(std::filesystem::exists(deep / "handoff.sock"));
}

TEST_F(TakerFromElsewhere, OfRootMayTakeOverFromAnyUserButNeverRunsThatUsersProgram) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be two users";
  Settings settings = this->settings();
  settings.unprivileged = true;
  Baton baton(settings);
  Client client = baton.connect();
  client.get("/bytes/1");
  Taker taker(baton);
  taker.await_succession(baton);
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  const Outcome rollback = run_baton({"ctl", "rollback", "-c", baton.config_path()});
  EXPECT_EQ(rollback.code, 1);
  EXPECT_NE(rollback.err.find("no previous program is known"), std::string::npos) << rollback.out << rollback.err;
  expect_one_instance(baton);
}

TEST_F(TakerFromElsewhere, WithSocketsOfItsServiceManagerServesThemAndTheInheritedOnes) {
  const TempDir directory;
  const Address passed = unix_socket(directory / "passed.sock");
  Baton baton(settings());
  Client client = baton.connect();
  client.get("/bytes/1");
  const std::string own = "\"" + baton.address().text() + "\"";
  std::string text = read_file(baton.config_path());
  replace_file(baton.config_path(), text.replace(text.find(own), own.size(), own + ", \"" + passed.text() + "\""));
  Taker taker(taker_command(baton, "--takeover", {LAUNCHER, "--names", "passed.socket", passed.text(), "--"}));
  taker.await_succession(baton);
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(baton.connect().get("/bytes/8").body, pattern(8));
  EXPECT_EQ(Client(passed).get("/bytes/7").body, pattern(7));
  EXPECT_EQ(taker.err().find("passed by the service manager, and closed"), std::string::npos) << taker.err();
  client.close();
  taker.signal(SIGTERM);
  EXPECT_EQ(taker.await_exit(), (Ended{0, 0}));
  EXPECT_TRUE(std::filesystem::exists(passed.unix_path)) << "it is the service manager's";
}

}  // namespace
}  // namespace baton::harness
