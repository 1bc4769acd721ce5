// What systemd gets from a supervised Baton, and what it passes to it.
#include <signal.h>

#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"
#include "systemd/notify_socket.hpp"

namespace baton::harness {
namespace {

NotifySocket& manager() {
  static NotifySocket socket;
  return socket;
}

class SupervisedNotify : public Supervised {
 protected:
  SupervisedNotify()
      : Supervised([](Settings& settings) {
          settings.shell = "export NOTIFY_SOCKET='" + manager().address() + "' WATCHDOG_USEC=200000 WATCHDOG_PID=$$";
        }) {}

  // All messages of this process up to the next one for the watchdog.
  std::string said_by(pid_t sender) {
    std::string all;
    for (;;) {
      const Notification message = manager().next();
      all += message.text + "\n";
      if (message.sender == sender && message.says("WATCHDOG=1")) return all;
    }
  }
};

TEST_F(SupervisedNotify, NamesNoMainProcessAndItsWorkersFeedTheWatchdogOfTheParent) {
  for (int i = 0; i < 2; ++i) {
    const std::string said = said_by(worker());
    EXPECT_NE(said.find("READY=1"), std::string::npos) << said;
    EXPECT_EQ(said.find("MAINPID"), std::string::npos) << said;
    upgrade();
  }
  EXPECT_EQ(said_by(worker()).find("MAINPID"), std::string::npos);
}

TEST_F(SupervisedNotify, IsKeptUpByWhoeverServesAfterACrash) {
  const auto expect_ready = [this] {
    const std::string said = said_by(worker());
    EXPECT_NE(said.find("READY=1"), std::string::npos) << said;
    EXPECT_EQ(said.find("MAINPID"), std::string::npos) << said;
  };
  expect_ready();
  crash();
  expect_ready();
  const pid_t before = worker();
  await_known(before);
  baton.begin_upgrade();
  ::kill(before, SIGKILL);
  harness::await_another_worker(baton, before);
  expect_ready();
}

Address& passed() {
  static Address address = loopback(free_port());
  return address;
}

std::string passed_path() {
  static const TempDir directory;
  return directory / "web.sock";
}

class SupervisedActivation : public Supervised {
 protected:
  SupervisedActivation()
      : Supervised([](Settings& settings) {
          settings.binds = {passed(), unix_socket(passed_path())};
          settings.shell = "exec " + in_shell(LAUNCHER) + " --names web.socket:path.socket tcp:" + passed().text() + " unix:" +
                           passed_path() + " -- \"$0\" \"$@\"";
        }) {}
};

TEST_F(SupervisedActivation, WhatIsPassedGoesToTheFirstWorkerAndOutlivesACrash) {
  EXPECT_EQ(baton.count_log_lines(std::regex("closed, since no listener|cannot listen")), 0u) << baton.log();
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
  crash();
  EXPECT_EQ(baton.connect().get("/bytes/4").body, pattern(4));
  upgrade();
  EXPECT_EQ(baton.connect().get("/bytes/5").body, pattern(5));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  EXPECT_TRUE(exists(passed_path())) << "it is the service manager's";
}

}  // namespace
}  // namespace baton::harness
