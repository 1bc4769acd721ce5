// The parent becomes the version that its worker runs, or stays as it is.
#include <signal.h>

#include <filesystem>
#include <regex>

#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

class SupervisorRenewal : public Supervised {
 protected:
  // Upgrades to what is at the path now, which the parent may become.
  void upgrade_to(const std::string& binary) {
    install(binary);
    upgrade();
  }
};

TEST_F(SupervisorRenewal, IsTheSameProcessWithTheSameChildren) {
  Client client = baton.connect();
  client.get("/bytes/1");
  upgrade_to(BATON_OTHER_VERSION);
  baton.await_log(std::regex("supervisor: this version continues, PID " + std::to_string(parent)));
  const pid_t now = worker();
  EXPECT_EQ(executable_of(parent), baton.binary_path());
  await([&] { return children_of(parent) == std::vector{now}; }, "the old worker to be gone");
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));

  // And it supervises: a crash, another upgrade, a stop.
  ::kill(now, SIGKILL);
  const pid_t replacement = await_another_worker(now);
  EXPECT_EQ(version(), "0.0.9-other");
  EXPECT_EQ(baton.connect().get("/bytes/6").body, pattern(6));
  await_known(replacement);
  upgrade_to(baton_binary());
  baton.await_log(std::regex("supervisor: this version continues"));
  EXPECT_EQ(executable_of(parent), baton.binary_path());
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisorRenewal, LosesNoSignalThatComesMeanwhile) {
  upgrade_to(BATON_OTHER_VERSION);
  baton.await_log(std::regex("supervisor: becomes baton"));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(SupervisorRenewal, IsNotDoneForTheSameBinary) {
  upgrade();
  await_known(worker());
  crash();
  EXPECT_EQ(baton.count_log_lines(std::regex("supervisor: (becomes|this version|stays)")), 0u) << baton.log();
}

// It serves like any other, but refuses what a supervisor leaves to it.
TEST_F(SupervisorRenewal, IsNotDoneByABinaryThatFailsTheDryRun) {
  const std::string before = executable_of(parent);
  const pid_t first = worker();
  const Outcome outcome = ctl({"upgrade", "--binary", UNFIT_BATON});
  ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
  const pid_t second = await_another_worker(first);
  baton.await_log(std::regex("supervisor: stays as it is"));
  await([&] { return children_of(parent) == std::vector{second}; }, "the old worker and the dry run to be gone");
  EXPECT_EQ(executable_of(parent), before);
  await_known(second);
  ::kill(second, SIGKILL);
  await_another_worker(second);
  EXPECT_EQ(baton.connect().get("/bytes/6").body, pattern(6));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
}

TEST_F(SupervisorRenewal, IsNotReachedByAnOlderBinaryThatKnowsNoSupervising) {
  const std::string before = executable_of(parent);
  const pid_t first = worker();
  replace_file(baton.binary_path() + ".old",
               "#!/bin/sh\ncase \" $* \" in *\" --supervise \"*) echo 'unknown --supervise' >&2; exit 2;; esac\nexec " +
                   baton_in_shell() + " \"$@\"\n",
               true);
  install(baton.binary_path() + ".old");
  std::filesystem::remove(baton.binary_path() + ".old");
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade: failed.*exited with code 2"));
  EXPECT_EQ(worker(), first);
  EXPECT_EQ(std::regex_replace(executable_of(parent), std::regex(" \\(deleted\\)"), ""),
            std::regex_replace(before, std::regex(" \\(deleted\\)"), ""));
  EXPECT_EQ(baton.count_log_lines(std::regex("supervisor: becomes")), 0u);
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
}

}  // namespace
}  // namespace baton::harness
