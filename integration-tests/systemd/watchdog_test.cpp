// The watchdog is fed by a process whose threads all run, by no other, and by its successor after it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "systemd/notify_socket.hpp"

namespace baton::harness {
namespace {

// Stops one thread of a process while the others continue.
class HeldThread {
 public:
  HeldThread(pid_t process, const std::string& name) : thread_(find(process, name)) {
    if (::ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0 || ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) != 0 ||
        ::waitpid(thread_, nullptr, __WALL) != thread_) {
      throw Failure("cannot hold the thread " + name);
    }
  }
  ~HeldThread() { ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr); }
  HeldThread(const HeldThread&) = delete;
  HeldThread& operator=(const HeldThread&) = delete;

 private:
  static pid_t find(pid_t process, const std::string& name) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
      if (read_file(entry.path() / "comm") == name + "\n") return std::stoi(entry.path().filename());
    }
    throw Failure("there is no thread " + name);
  }

  pid_t thread_;
};

class Watchdog : public testing::Test {
 protected:
  // `$$` is the process that becomes the program.
  Settings settings(const NotifySocket& heard_by, const std::string& watchdog_pid = "$$") const {
    Settings settings(origin.address());
    settings.shell = "export WATCHDOG_USEC=100000 WATCHDOG_PID=" + watchdog_pid + " NOTIFY_SOCKET=" + heard_by.address();
    return settings;
  }
  // Time, measured by how often another process has fed its watchdog.
  void let_pass(int meals) {
    while (clock_manager.has_more()) clock_manager.next();
    for (int i = 0; i < meals; ++i) clock_manager.next_that_says("WATCHDOG=1");
  }
  bool was_fed() {
    bool fed = false;
    while (manager.has_more()) fed = manager.next().says("WATCHDOG=1") || fed;
    return fed;
  }

  Origin origin;
  NotifySocket manager;
  NotifySocket clock_manager;
  Baton clock{settings(clock_manager)};
};

TEST_F(Watchdog, IsFedAgainAndAgainAndByEachSuccessor) {
  Baton baton(settings(manager));
  for (int generation = 1; generation <= 3; ++generation) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(manager.next_that_says("WATCHDOG=1").sender, baton.pid());
    const pid_t before = baton.pid();
    baton.upgrade();
    // The successor announces itself, then the predecessor does as its last message.
    EXPECT_EQ(manager.next_that_says("MAINPID=" + std::to_string(baton.pid())).sender, baton.pid());
    EXPECT_EQ(manager.next_that_says("MAINPID=" + std::to_string(baton.pid())).sender, before);
    let_pass(3);
    while (manager.has_more()) EXPECT_EQ(manager.next().sender, baton.pid());
  }
}

TEST_F(Watchdog, IsNotFedWhileOneWorkerHangs) {
  Baton baton(settings(manager));
  manager.next_that_says("WATCHDOG=1");
  for (const char* name : {"worker 1", "worker 2"}) {
    SCOPED_TRACE(name);
    {
      const HeldThread held(baton.pid(), name);
      let_pass(2);                           // what was in flight when the thread was stopped has arrived
      was_fed();
      let_pass(10);
      EXPECT_FALSE(was_fed());
    }
    manager.next_that_says("WATCHDOG=1");
  }
}

TEST_F(Watchdog, AWorkerThatHangsKeepsNobodyFromTheAdminInterface) {
  Baton baton(settings(manager));
  const Address admin = unix_socket(baton.directory() / "admin.sock");
  {
    const HeldThread held(baton.pid(), "worker 2");
    Client asking(admin);
    asking.send(get_request("/status"));
    EXPECT_EQ(Client(admin).get("/healthz").status(), 200);
    EXPECT_EQ(asking.response().status(), 503);
  }
  EXPECT_EQ(baton.number("generation"), 1);
}

TEST_F(Watchdog, OfAnotherProcessIsNotFedNeitherByTheSuccessor) {
  Baton baton(settings(manager, "1"));
  let_pass(5);
  EXPECT_FALSE(was_fed());
  baton.upgrade();
  let_pass(5);
  EXPECT_FALSE(was_fed());
}

TEST_F(Watchdog, IsFedWhileConnectionsAreServedToTheirEnd) {
  Baton baton(settings(manager));
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.signal(SIGQUIT);
  manager.next_that_says("STOPPING=1");
  for (int i = 0; i < 3; ++i) manager.next_that_says("WATCHDOG=1");
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
}

}  // namespace
}  // namespace baton::harness
