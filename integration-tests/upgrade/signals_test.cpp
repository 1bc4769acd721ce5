// Every signal but USR2: how the process stops, and the log that is reopened.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Signals : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.timeouts = "shutdown: 10m";  // longer than a test would ever wait
    return settings;
  }
  void await_not_accepting() {
    await([this] { return !is_listening(baton.address()); }, "the listener to be closed");
  }

  Origin origin;
  Baton baton{settings(origin)};
};

TEST_F(Signals, AnUpgradePutsARemovedLockFileBackFirst) {
  std::filesystem::remove(baton.directory() / "handoff.sock.lock");
  baton.upgrade();
  EXPECT_EQ(baton.count_log_lines(std::regex("the lock .* had been removed; restored")), 1u) << baton.log();
  EXPECT_TRUE(baton.lock_is_held());
}

TEST_F(Signals, AHupAndAnUpgradePutRemovedSocketsBack) {
  const auto remove_and_await = [this](int signal, const std::regex& done) {
    for (const char* name : {"admin.sock", "handoff.sock"}) std::filesystem::remove(baton.directory() / name);
    baton.signal(signal);
    baton.await_log(done);
    EXPECT_TRUE(is_listening(unix_socket(baton.directory() / "admin.sock")));
    EXPECT_TRUE(is_listening(unix_socket(baton.directory() / "handoff.sock")));
  };
  remove_and_await(SIGHUP, log_lines::reload_done);
  remove_and_await(SIGUSR2, log_lines::upgrade_report);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  baton.follow_pid_file();
  EXPECT_EQ(baton.count_log_lines(std::regex("sock had been removed; restored")), 4u) << baton.log();
  expect_one_instance(baton);
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_EQ(paths_of_an_instance(baton), std::vector<std::string>{});
}

// A failing successor takes none of them with it.
TEST_F(Signals, SeveralHupsDuringAnUpgradeThatFailsAreOneReloadAfterwards) {
  Settings patient(origin.address());
  patient.handoff += ", finish_timeout: 15s";  // a held request delays the upgrade until the gate opens
  Baton other(patient);
  Client idle = other.connect(), held = other.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  idle.get("/bytes/1");
  other.begin_upgrade();
  other.await_number("connections.total", 1);
  replace_file(other.config_path(), read_file(other.config_path()) + "limits: { requests_per_connection: 1 }\n");
  for (int i = 0; i < 3; ++i) {
    other.signal(SIGHUP);
    other.signal(SIGUSR1);  // answered at once, so the one before it has been read as well
    other.await_log(log_lines::logs_reopened);
  }
  ::kill(children_of(other.pid()).at(0), SIGKILL);
  other.await_log(log_lines::upgrade_failed);
  other.await_log(log_lines::reload_done);
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(other.connect().get("/bytes/1").field("Connection"), "close");
  other.upgrade();
  EXPECT_EQ(other.count_log_lines(log_lines::reload_done), 1u) << other.log();
  expect_one_instance(other);
}

class GracefulStop : public Signals, public testing::WithParamInterface<int> {};

TEST_P(GracefulStop, FinishesWhatIsInFlightAndClosesWhatIsIdle) {
  Client idle = baton.connect(), busy = baton.connect();
  idle.get("/bytes/1");
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(GetParam());
  idle.expect_fin();
  await_not_accepting();
  busy.expect_silence(Milliseconds(100));
  origin.gate().open();
  Response response = busy.response();
  EXPECT_EQ(response.body, "held");
  EXPECT_EQ(response.field("Connection"), "close");
  busy.expect_fin();
  busy.close();  // the proxy waits for that, for a while
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

TEST_P(GracefulStop, RemovesItsPathsAndFreesTheLock) {
  baton.signal(GetParam());
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_FALSE(std::filesystem::exists(baton.pid_file_path()));
  EXPECT_FALSE(std::filesystem::exists(baton.directory() / "admin.sock"));
  EXPECT_FALSE(baton.lock_is_held());
}

TEST_P(GracefulStop, WorksTheSameAfterAnUpgrade) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  baton.upgrade();
  baton.signal(GetParam());
  idle.expect_fin();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

INSTANTIATE_TEST_SUITE_P(By, GracefulStop, testing::Values(SIGTERM, SIGINT, SIGQUIT),
                         [](const auto& stop) { return std::string(::sigabbrev_np(stop.param)); });

TEST_F(Signals, ASecondTermStopsAtOnce) {
  Client busy = baton.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGTERM);
  await_not_accepting();
  baton.signal(SIGTERM);
  baton.await_exit();
}

// A whole process group was told to stop during an upgrade: the successor gets the signal twice.
TEST_F(Signals, AStopThatIsPassedOnIsNoSecondOne) {
  Client busy = baton.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGTERM);
  await_not_accepting();
  ASSERT_EQ(::sigqueue(baton.pid(), SIGTERM, {}), 0);
  baton.signal(SIGUSR1);
  baton.await_log(log_lines::logs_reopened);  // so the one before it has been read
  origin.gate().open();
  EXPECT_EQ(busy.response().body, "held");
  busy.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_EQ(baton.count_log_lines(std::regex("stopping at once")), 0u) << baton.log();
}

TEST_F(Signals, QuitKnowsNoLimit) {
  Settings settings(origin.address());
  settings.timeouts = "shutdown: 100ms";
  Baton patient(settings);
  Client busy = patient.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  patient.signal(SIGQUIT);
  busy.expect_silence(Milliseconds(500));
  EXPECT_TRUE(is_alive(patient.pid()));
  origin.gate().open();
  EXPECT_EQ(busy.response().body, "held");
  busy.close();
  EXPECT_EQ(patient.await_exit(), (Ended{0, 0}));
}

TEST_F(Signals, AFirstTermAfterAQuitStillWaitsForWhatIsInFlight) {
  Client busy = baton.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGQUIT);
  await_not_accepting();
  baton.signal(SIGTERM);
  baton.await_log(std::regex(R"(stopping \(SIGTERM\): 1 connections .* now at most 600 s)"));
  origin.gate().open();
  EXPECT_EQ(busy.response().body, "held");
  busy.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

TEST_F(Signals, ATermAfterAQuitSetsTheLimit) {
  Settings settings(origin.address());
  settings.timeouts = "shutdown: 100ms";
  Baton hasty(settings);
  Client busy = hasty.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  hasty.signal(SIGQUIT);
  hasty.await_log(std::regex("stopping .SIGQUIT"));
  hasty.signal(SIGTERM);
  hasty.await_log(std::regex("time is over: 1 connections are cut"));
  EXPECT_EQ(hasty.await_exit(), (Ended{0, 0}));
}

TEST_F(Signals, Usr1OpensTheAccessLogAgain) {
  TempDir logs;
  const std::string path = logs / "access.log", rotated = logs / "access.log.1";
  Settings settings(origin.address());
  settings.log = "access: { path: " + path + " }";
  Baton logging(settings);
  auto has = [](const std::string& file, const std::string& text) {
    return read_file(file).find(text) != std::string::npos;
  };
  Client client = logging.connect();
  client.get("/bytes/11");
  await([&] { return has(path, "/bytes/11"); }, "the first line");
  std::filesystem::rename(path, rotated);
  logging.signal(SIGUSR1);
  await([&] { return std::filesystem::exists(path); }, "a new file");
  client.get("/bytes/12");
  await([&] { return has(path, "/bytes/12"); }, "the second line in the new file");
  EXPECT_FALSE(has(rotated, "/bytes/12"));
  logging.upgrade();
  client.get("/bytes/13");
  await([&] { return has(path, "/bytes/13"); }, "the successor's line in the same file");
  EXPECT_TRUE(has(path, "/bytes/12"));
}

TEST_F(Signals, ATermWhileASuccessorIsStartedStopsEverything) {
  Client busy = baton.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  baton.signal(SIGTERM);
  await_not_accepting();
  origin.gate().open();
  EXPECT_EQ(busy.response().body, "held");
  busy.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

}  // namespace
}  // namespace baton::harness
