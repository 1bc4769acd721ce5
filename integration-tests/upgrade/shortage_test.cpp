// No thread or no descriptor is free when an upgrade, a takeover or a reload begins: that attempt fails, and nothing
// else.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/shortage.hpp"
#include "supervise/supervised.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

constexpr const char* no_thread = "Resource temporarily unavailable";
constexpr const char* why_no_thread =
    "Resource temporarily unavailable; a limit of tasks (TasksMax, ulimit -u) or of memory (LimitAS, ulimit -v) is "
    "reached";
constexpr const char* no_descriptor = "Too many open files";

// One client of every kind, each with a single connection throughout.
class Clients {
 public:
  Clients(const Baton& baton, Origin& origin)
      : origin_(origin),
        idle_(baton.connect()),
        head_(baton.connect()),
        held_(baton.connect()),
        tunnel_(baton.connect()) {
    idle_.get("/bytes/1");
    head_.send("GET /bytes/3 HTTP/1.1\r\n");
    held_.send(get_request("/held"));
    tunnel_.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    EXPECT_EQ(tunnel_.response().status(), 101);
    origin.gate().await_arrivals(1);
  }
  void expect_idle_lives() { EXPECT_EQ(idle_.get("/bytes/2").body, pattern(2)); }
  // The clients' last exchange.
  void expect_all_live() {
    origin_.gate().open();
    EXPECT_EQ(held_.response().body, "held");
    head_.send("Host: a\r\n\r\n");
    EXPECT_EQ(head_.response().body, pattern(3));
    tunnel_.send("x");
    EXPECT_EQ(tunnel_.read_exactly(1), "x");
    expect_idle_lives();
  }

 private:
  Origin& origin_;
  Client idle_, head_, held_, tunnel_;
};

class AShortage : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.user = lonely_user();
    return settings;
  }
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can be a user with no other process";
    baton = std::make_unique<Baton>(settings(origin));
    clients = std::make_unique<Clients>(*baton, origin);
  }
  // Room for a successor's process, but not for a thread.
  Shortage room_for_tasks(std::size_t more) const {
    return Shortage::of_tasks(baton->pid(), task_count({baton->pid()}) + more);
  }

  const std::string successor = in_shell(baton_binary_for_everyone());
  Origin origin;
  std::unique_ptr<Baton> baton;
  std::unique_ptr<Clients> clients;
};

TEST_F(AShortage, OfTasksFailsTheUpgradeAndNothingElse) {
  {
    const Shortage shortage = room_for_tasks(1);
    for (int i = 0; i < 3; ++i) {
      const std::string line = baton->failed_upgrade();
      EXPECT_NE(line.find(no_thread), std::string::npos) << line;
      clients->expect_idle_lives();
    }
    const Outcome outcome = run_baton({"ctl", "upgrade", "-c", baton->config_path()});
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE((outcome.out + outcome.err).find(no_thread), std::string::npos) << outcome.out << outcome.err;
    await([this] { return children_of(baton->pid()).empty(); }, "the failed successor to be gone");
    expect_one_instance(*baton);
  }
  baton->begin_upgrade();
  origin.gate().open();
  baton->finish_upgrade();
  clients->expect_all_live();
  expect_one_instance(*baton);
}

// It could not run without threads, and says so.
TEST_F(AShortage, OfTasksInTheSuccessorIsItsReason) {
  replace_file(baton->binary_path(), "#!/bin/sh\nprlimit --pid $$ --nproc=1\nexec " + successor + " \"$@\"\n", true);
  std::filesystem::permissions(baton->binary_path(), std::filesystem::perms(0755));
  const std::string line = baton->failed_upgrade();
  EXPECT_NE(line.find(why_no_thread), std::string::npos) << line;
  clients->expect_all_live();
}

// Whichever of its threads is one too many: it exits cleanly and says why.
TEST_F(AShortage, OfTasksAtAnyThreadOfTheSuccessorIsItsReason) {
  const std::size_t here = task_count({baton->pid()});
  bool succeeded = false;
  for (std::size_t more = 1; more < 20 && !succeeded; ++more) {
    replace_file(baton->binary_path(),
                 "#!/bin/sh\nprlimit --pid $$ --nproc=" + std::to_string(here + more) + ":\nexec " + successor + " \"$@\"\n",
                 true);
    std::filesystem::permissions(baton->binary_path(), std::filesystem::perms(0755));
    const Outcome outcome = run_baton({"ctl", "upgrade", "-c", baton->config_path()});
    succeeded = outcome.code == 0;
    if (succeeded) break;
    EXPECT_EQ(outcome.out.find("signal"), std::string::npos) << more << ": " << outcome.out << baton->log();
    EXPECT_NE(outcome.out.find(why_no_thread), std::string::npos) << more << ": " << outcome.out;
    clients->expect_idle_lives();
  }
  EXPECT_TRUE(succeeded);
  clients->expect_all_live();
}

TEST_F(AShortage, OfTasksFailsAReloadAndNothingElse) {
  {
    const Shortage shortage = room_for_tasks(0);
    baton->signal(SIGHUP);
    const std::string line = baton->await_log(log_lines::reload_failed);
    EXPECT_NE(line.find(why_no_thread), std::string::npos) << line;
  }
  baton->signal(SIGHUP);
  baton->await_log(log_lines::reload_done);
  clients->expect_all_live();
}

TEST_F(AShortage, OfDescriptorsFailsATakeoverAndNothingElse) {
  {
    // For the external successor, and no more.
    const Shortage shortage = Shortage::of_descriptors(*baton, 1);
    Taker taker(*baton);
    taker.await_failure(no_descriptor);
    const std::string line = baton->await_log(log_lines::upgrade_failed);
    EXPECT_NE(line.find(no_descriptor), std::string::npos) << line;
    clients->expect_idle_lives();
  }
  EXPECT_EQ(baton->pid_in_file(), baton->pid());
  Taker taker(*baton);
  baton->await_log(std::regex("upgrade begins: .* takes over"));
  origin.gate().open();
  taker.await_succession(*baton);
  clients->expect_all_live();
}

TEST_F(AShortage, OfTasksFailsATakeoverAndNothingElse) {
  {
    const Shortage shortage = room_for_tasks(0);
    Taker taker(*baton);
    taker.await_failure(no_thread);
  }
  clients->expect_all_live();
  expect_one_instance(*baton);
}

class SupervisedShortage : public Supervised {
 protected:
  SupervisedShortage()
      : Supervised([](Settings& settings) {
          if (::geteuid() == 0) settings.user = lonely_user();
          settings.handoff += ", survive: \"off\"";  // a keeper is a task, too
        }) {}
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can be a user with no other process";
  }
};

TEST_F(SupervisedShortage, OfTasksFailsTheUpgradeAndNothingElse) {
  const pid_t first = worker();
  await_known(first);
  Clients clients(baton, origin);
  {
    const Shortage shortage = Shortage::of_tasks(first, task_count({parent, first}) + 1);
    for (int i = 0; i < 2; ++i) {
      baton.begin_upgrade();
      const std::string line = baton.await_log(log_lines::upgrade_failed);
      EXPECT_NE(line.find(no_thread), std::string::npos) << line;
      await([&] { return children_of(first).empty(); }, "the failed successor to be gone");
      clients.expect_idle_lives();
    }
    EXPECT_EQ(worker(), first);
  }
  baton.begin_upgrade();
  origin.gate().open();
  await_another_worker(first);
  clients.expect_all_live();
}

TEST_F(SupervisedShortage, OfTasksFailsAReplacementAndTheNextOneServes) {
  const pid_t first = worker();
  await_known(first);
  {
    const Shortage shortage = Shortage::of_tasks(parent, task_count({parent}) + 1);
    ::kill(first, SIGKILL);
    // What the kernel has not yet released of the worker counts as well, so the first may fail sooner.
    for (int i = 0; i < 2; ++i) {
      const std::string line = baton.await_log(std::regex("the replacement failed: "));
      EXPECT_NE(line.find(no_thread), std::string::npos) << line;
    }
  }
  await_another_worker(first);
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

}  // namespace
}  // namespace baton::harness
