// Whatever starts Baton may have signals ignored or blocked (nohup, a script, a careless launcher). Baton must reset
// them, or it would never get them.
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <sstream>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

// All of them, ignored and blocked.
constexpr const char* deaf = "exec env --ignore-signal --block-signal \"$0\" \"$@\"";

// The lines of /proc/PID/status that show the blocked and the ignored signals.
std::string signals_of(pid_t pid) {
  std::istringstream lines(read_file("/proc/" + std::to_string(pid) + "/status"));
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("SigBlk:") || line.starts_with("SigIgn:")) found += line + "\n";
  }
  return found;
}

class StartedDeaf : public testing::Test {
 protected:
  static Settings settings(const Origin& origin, const std::string& shell) {
    Settings settings(origin.address());
    settings.shell = shell;
    return settings;
  }

  Origin origin;
  Baton usual{settings(origin, "")};
  Baton baton{settings(origin, deaf)};
};

TEST_F(StartedDeaf, ObeysEverySignal) {
  EXPECT_EQ(signals_of(baton.pid()), signals_of(usual.pid()));
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  baton.signal(SIGUSR1);
  baton.await_log(std::regex("log files reopened"));
  baton.upgrade();
  EXPECT_EQ(signals_of(baton.pid()), signals_of(usual.pid())) << "the successor";
  replace_file(baton.config_path(), "no configuration\n");
  EXPECT_NE(baton.failed_upgrade().find("exited with code 1"), std::string::npos) << "it hears how its child ended";
  baton.signal(SIGQUIT);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

class SupervisedDeaf : public Supervised {
 protected:
  SupervisedDeaf() : Supervised([](Settings& settings) { settings.shell = deaf; }) {}
};

TEST_F(SupervisedDeaf, ReplacesEachWorkerThatCrashesAndStops) {
  for (int i = 0; i < 2; ++i) crash(i == 0 ? SIGKILL : SIGSEGV);
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
  upgrade();
  await_known(worker());
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

// Commands that serve nobody leave `nohup` in effect.
TEST(StartedByNohup, ADemoIsNotEndedByAHangup) {
  Process nohup(Command{
      {"sh", "-c", "trap '' HUP CHLD; exec \"$0\" demo --upgrades 0 --clients 10 --plain --no-nginx", baton_binary()}});
  await([&] { return !children_of(nohup.pid()).empty(); }, "the demo to start something");
  const std::string signals = signals_of(nohup.pid());
  const std::uint64_t ignored = std::stoull(signals.substr(signals.find("SigIgn:") + 7), nullptr, 16);
  EXPECT_EQ(ignored >> (SIGHUP - 1) & 1, 1u) << signals;
  EXPECT_EQ(ignored >> (SIGCHLD - 1) & 1, 0u) << signals;
}

// A write beyond the limit fails and kills no process.
TEST(StartedWithALimitOfItsFiles, LosesLinesAndNothingElse) {
  const Origin origin;
  const TempDir logs;
  Settings settings(origin.address());
  settings.log = "access: { path: " + logs / "access.log" + " }";
  settings.shell = "ulimit -f 1";  // 512 or 1024 bytes
  Baton baton(settings);
  Client client = baton.connect();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  baton.await_log(std::regex("access log .*File too large"));
  EXPECT_EQ(client.get("/bytes/6").body, pattern(6));
  expect_one_instance(baton);
}

}  // namespace
}  // namespace baton::harness
