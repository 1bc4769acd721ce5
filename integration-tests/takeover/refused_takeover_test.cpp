// Processes that may not take over, and peers that only occupy the socket: the running instance continues, and nobody
// waits.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <list>

#include "harness/aftermath.hpp"
#include "harness/origin.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

class RefusedTakeover : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.handoff += ", finish_timeout: 15s";   // a held request delays a handover until the gate opens
    return settings;
  }
  // The instance is the same as before, and the next upgrade works.
  void expect_untouched() {
    EXPECT_EQ(baton.pid_in_file(), baton.pid());
    EXPECT_EQ(baton.connect().get("/bytes/9").body, pattern(9));
    baton.upgrade();
    EXPECT_EQ(client.get("/bytes/7").body, pattern(7));
    expect_one_instance(baton);
  }
  Command takeover_as_nobody() const {
    return as_nobody({{baton_binary_for_everyone(), "run", "--takeover", "-c", baton.config_path()}});
  }
  void await_refusal(const std::string& why) { baton.await_log(std::regex("takeover: .* is refused: " + why)); }

  Origin origin;
  Baton baton{settings()};
  Client client = baton.connect();
  const Address socket = unix_socket(handoff_path(baton));
};

TEST_F(RefusedTakeover, APeerOfAnotherUserIsToldSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  // What the modes of socket and folder prevent already.
  std::filesystem::permissions(baton.directory().path(), std::filesystem::perms::all);
  std::filesystem::permissions(socket.unix_path, std::filesystem::perms::all);
  Taker taker(takeover_as_nobody());
  taker.await_failure("only the running instance's user and root may take over");
  await_refusal("only our own user and root");
  expect_untouched();
}

TEST_F(RefusedTakeover, AnotherUserCannotEvenConnect) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  std::filesystem::permissions(baton.directory().path(), std::filesystem::perms::all);
  Taker taker(takeover_as_nobody());
  taker.await_failure("Permission denied");
  expect_untouched();
}

TEST_F(RefusedTakeover, ASecondTakerMeanwhileIsToldSo) {
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Taker first(baton);
  baton.await_log(std::regex("upgrade begins: .* takes over"));
  Taker second(baton);
  second.await_failure("in progress already");
  await_refusal("one is in progress already");
  origin.gate().open();
  first.await_succession(baton);
  EXPECT_EQ(client.response().body, "held");
  expect_one_instance(baton);
}

TEST_F(RefusedTakeover, OfManyAtOnceOneAtATimeSucceeds) {
  client.get("/bytes/1");
  std::list<Taker> takers;
  for (int i = 0; i < 5; ++i) takers.emplace_back(baton);
  // Each becomes the instance for a while, or says why not; the last one stays.
  const pid_t first = baton.pid();
  await(
      [&] {
        std::size_t living = 0;
        for (const Taker& taker : takers) living += is_alive(taker.pid()) ? 1 : 0;
        return living == 1 && !is_alive(first);
      },
      "all but one to end");
  baton.follow_pid_file();
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  expect_one_instance(baton);
}

TEST_F(RefusedTakeover, WhileTheInstanceStopsItIsToldSo) {
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGTERM);
  baton.await_log(std::regex("stopping"));
  Taker taker(baton);
  taker.await_failure("this process is stopping");
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  client.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

TEST_F(RefusedTakeover, AnInvalidConfigurationIsSaidOnBothSides) {
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "no_such_key: 1\n");
  Taker taker(taker_command(baton, "--takeover=" + socket.unix_path));
  taker.await_failure("no_such_key");
  const std::string line = baton.await_log(log_lines::upgrade_failed);
  EXPECT_NE(line.find("no_such_key"), std::string::npos) << line;
  replace_file(baton.config_path(), good);
  expect_untouched();
}

TEST_F(RefusedTakeover, AnAddedAddressThatIsTakenIsSaidOnBothSides) {
  const std::string good = read_file(baton.config_path());
  std::string taken = good;
  const std::string own = "\"" + baton.address().text() + "\"";
  taken.replace(taken.find(own), own.size(), own + ", \"" + origin.address().text() + "\"");
  replace_file(baton.config_path(), taken);
  Taker taker(baton);
  taker.await_failure(origin.address().text());
  const std::string line = baton.await_log(log_lines::upgrade_failed);
  EXPECT_NE(line.find(origin.address().text()), std::string::npos) << line;
  replace_file(baton.config_path(), good);
  expect_untouched();
}

TEST_F(RefusedTakeover, AnotherPidFileIsSaidOnBothSides) {
  const std::string config = baton.directory() / "taker.yaml";
  std::string text = read_file(baton.config_path());
  replace_file(config, text.replace(text.find("baton.pid"), 9, "other.pid"));
  Command command = taker_command(baton);
  command.argv.back() = config;
  Taker taker(command);
  taker.await_failure("cannot change pid_file");
  baton.await_log(log_lines::upgrade_failed);
  std::filesystem::remove(config);
  expect_untouched();
}

// The same path in another mount namespace is another file: two locks would mean two instances.
TEST_F(RefusedTakeover, AnotherLockFileUnderTheSamePathIsSaidOnBothSides) {
  if (run({{"unshare", "--mount", "true"}}).code != 0) GTEST_SKIP() << "no namespace may be made here";
  const TempDir outside;
  const std::string config = outside / "baton.yaml";
  const std::string met = outside / "met.sock";
  replace_file(config, read_file(baton.config_path()));
  replace_file(met, "");
  const std::string folder = baton.directory().path();
  Taker taker(Command{{"unshare", "--mount", "sh", "-ec",
                       "mount --bind " + socket.unix_path + " " + met + "; mount -t tmpfs none " + folder + "; exec " +
                           baton_in_shell() + " run --takeover=" + met + " -c " + config}});
  taker.await_failure("another file here than for the running instance");
  baton.await_log(log_lines::upgrade_failed);
  expect_untouched();
}

TEST_F(RefusedTakeover, WhatIsNoSocketStopsAStartAndStays) {
  client.close();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  replace_file(socket.unix_path, "precious");
  Taker taker(baton);
  taker.await_failure("something other than a socket is there");
  EXPECT_EQ(read_file(socket.unix_path), "precious");
}

class Visitors : public RefusedTakeover {
 protected:
  std::list<Stream> silent_ones(int count) const {
    std::list<Stream> visitors;
    for (int i = 0; i < count; ++i) visitors.emplace_back(connect_to(socket));
    return visitors;
  }
};

TEST_F(Visitors, WhoSayNothingKeepNoUpgradeWaiting) {
  const auto visitors = silent_ones(3);
  expect_untouched();
}

TEST_F(Visitors, WhoSayNothingKeepNoTakerWaiting) {
  const auto visitors = silent_ones(100);
  Taker taker(baton);
  taker.await_succession(baton);
  EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  expect_one_instance(baton);
}

TEST_F(Visitors, WhoComeInFloodsCostFewDescriptors) {
  client.get("/bytes/1");                          // it has been accepted
  const std::size_t before = descriptor_count(baton.pid());
  std::list<Stream> visitors = silent_ones(500);
  visitors.back().send("no Hello at all, but more than a header");
  baton.await_log(std::regex("is not an external successor: it sent no Hello"));
  EXPECT_LE(descriptor_count(baton.pid()), before + 17);
  visitors.clear();
  await_descriptors_at_most(before, baton.pid());
  expect_untouched();
}

TEST_F(Visitors, WhoBeginAHelloAndNeverEndItKeepNoUpgradeWaiting) {
  std::list<Stream> visitors = silent_ones(1);
  visitors.front().send(std::string("BATN\0\1\0\1\0\0\1\0\0\0\0\0\0\0\0\0half", 24));
  expect_untouched();
}

}  // namespace
}  // namespace baton::harness
