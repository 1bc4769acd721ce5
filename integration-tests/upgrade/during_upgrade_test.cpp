// What comes during an upgrade: new connections, requests to the admin interface, every other signal.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <list>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr int upgrades = 20;

// Repeats something in its own thread until told to stop.
class Repeating {
 public:
  explicit Repeating(std::function<void()> once)
      : thread_(std::async(std::launch::async, [this, once = std::move(once)] {
          for (; !stop_; ++rounds_) once();
        })) {}
  ~Repeating() { stop_ = true; }

  // Waits for this many more rounds; throws what ended the rounds, if anything did.
  void await_rounds(std::size_t more) {
    const std::size_t goal = rounds_ + more;
    await(
        [&] {
          const bool ended = thread_.wait_for(Milliseconds(0)) == std::future_status::ready;
          if (ended) thread_.get();
          return rounds_ >= goal;
        },
        "rounds of the thread beside");
  }
  // Throws what ended the rounds, if anything did.
  void finish() {
    stop_ = true;
    thread_.get();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<std::size_t> rounds_ = 0;
  std::future<void> thread_;
};

class DuringUpgrade : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    // A held request delays the upgrade until the gate opens. No test waits for a successor that is never ready.
    settings.handoff = "ready_timeout: 10m, step_timeout: 15s, finish_timeout: 15s";
    settings.log = "access: { path: " + logs / "access.log" + " }";
    settings.own_binary = true;
    return settings;
  }
  static bool was_logged(const std::string& path, const std::string& text) {
    return read_file(path).find(text) != std::string::npos;
  }

  // An upgrade that waits only for `held`.
  void begin_and_hold() {
    held.send(get_request("/held"));
    origin.gate().await_arrivals(1);
    idle.get("/bytes/1");
    baton.begin_upgrade();
    // It moves once the new process accepts, and is answered once that has adopted it: then only the held request is
    // missing.
    baton.await_number("connections.total", 1);
    idle.get("/bytes/1");
  }
  void let_go() {
    origin.gate().open();
    EXPECT_EQ(held.response().body, "held");
  }

  Origin origin;
  const TempDir logs;
  Baton baton{settings()};
  Client idle = baton.connect();
  Client held = baton.connect();
};

TEST_F(DuringUpgrade, NewConnectionsAreNeitherRefusedNorReset) {
  Repeating clients([this] {
    Client one = baton.connect();
    EXPECT_EQ(one.get("/bytes/100").body, pattern(100));
    one.reset();  // keeps no port in TIME_WAIT
  });
  for (int i = 0; i < upgrades; ++i) {
    clients.await_rounds(10);
    baton.upgrade();
  }
  clients.await_rounds(10);
  clients.finish();
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2));
}

TEST_F(DuringUpgrade, ConnectionsThatSpeakLateAreKept) {
  std::list<Client> silent;
  Repeating clients([&] {
    silent.emplace_back(baton.address());
    if (silent.size() < 50) return;
    EXPECT_EQ(silent.front().get("/bytes/3").body, pattern(3));
    silent.front().reset();
    silent.pop_front();
  });
  for (int i = 0; i < upgrades; ++i) {
    clients.await_rounds(10);
    baton.upgrade();
  }
  clients.finish();
  for (Client& one : silent) EXPECT_EQ(one.get("/bytes/3").body, pattern(3));
}

TEST_F(DuringUpgrade, TheAdminInterfaceAnswersAllTheTime) {
  std::int64_t generation = 1;
  Repeating questions([&] {
    const std::int64_t now = baton.number("generation");
    EXPECT_GE(now, generation);
    generation = now;
  });
  for (int i = 0; i < upgrades; ++i) {
    questions.await_rounds(2);
    baton.upgrade();
  }
  questions.await_rounds(1);
  questions.finish();
  EXPECT_EQ(generation, upgrades + 1);
}

TEST_F(DuringUpgrade, TheServiceIsReadyAllTheTime) {
  Repeating questions([this] { EXPECT_EQ(baton.readyz(), 200) << "a load balancer would take it out"; });
  for (int i = 0; i < upgrades; ++i) {
    questions.await_rounds(2);
    baton.upgrade();
  }
  questions.finish();
}

TEST_F(DuringUpgrade, TheOldOneIsTheInstanceUntilEverythingHasMoved) {
  const pid_t before = baton.pid();
  begin_and_hold();
  EXPECT_EQ(baton.number("generation"), 1);
  EXPECT_EQ(baton.number("pid"), before);
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_EQ(baton.pid_in_file(), before);
  EXPECT_EQ(idle.get("/bytes/2").body, pattern(2)) << "by the new one already";
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3)) << "by the new one already";
  let_go();
  baton.finish_upgrade();
  EXPECT_EQ(baton.number("generation"), 2);
}

TEST_F(DuringUpgrade, Usr1OpensTheLogOfBothAgain) {
  const std::string path = logs / "access.log", rotated = path + ".1";
  begin_and_hold();
  std::filesystem::rename(path, rotated);
  baton.signal(SIGUSR1);
  baton.await_log(log_lines::logs_reopened);
  let_go();
  baton.finish_upgrade();
  await([this] { return baton.count_log_lines(log_lines::logs_reopened) == 2; }, "the successor to open its log again");
  idle.get("/bytes/12");
  await([&] { return was_logged(path, "/held") && was_logged(path, "/bytes/12"); }, "both lines in the new file");
  EXPECT_FALSE(was_logged(rotated, "/held"));
  EXPECT_FALSE(was_logged(rotated, "/bytes/12"));
}

TEST_F(DuringUpgrade, AHupReloadsTheSuccessor) {
  begin_and_hold();
  const std::string yaml = read_file(baton.config_path());
  replace_file(baton.config_path(), yaml + "limits: { requests_per_connection: 1 }\n");
  baton.signal(SIGHUP);
  let_go();
  baton.finish_upgrade();
  await([this] { return baton.count_log_lines(log_lines::reload_done) == 1; }, "the successor to reload");
  EXPECT_EQ(baton.connect().get("/bytes/1").field("Connection"), "close");
}

TEST_F(DuringUpgrade, AQuitStopsTheSuccessorInOrder) {
  begin_and_hold();
  const pid_t successor = children_of(baton.pid()).front();
  baton.signal(SIGQUIT);
  let_go();
  idle.expect_fin();
  held.expect_fin();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  await([&] { return !is_alive(successor); }, "the successor to end");
  EXPECT_EQ(baton.count_log_lines(log_lines::upgrade_report), 1u) << "it stops after the upgrade";
  EXPECT_FALSE(std::filesystem::exists(baton.pid_file_path()));
}

TEST_F(DuringUpgrade, ATermBeforeAnythingIsAdoptedStopsTheOldOneAndKillsTheNewOne) {
  replace_file(baton.binary_path(), "#!/bin/sh\nexec /bin/sleep 1000\n", true);
  idle.get("/bytes/1");
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  await([this] { return children_of(baton.pid()).size() == 1; }, "the successor to be started");
  const pid_t successor = children_of(baton.pid()).front();
  baton.signal(SIGTERM);
  idle.expect_fin();
  await([&] { return !is_alive(successor); }, "the successor to be killed");
  let_go();
  held.expect_fin();
  held.close();
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_FALSE(std::filesystem::exists(baton.pid_file_path()));
  EXPECT_FALSE(baton.lock_is_held());
}

}  // namespace
}  // namespace baton::harness
