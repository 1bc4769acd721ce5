// One side of an upgrade, or of what follows a crash, dies at its first message, then at its second, its third, until
// all passes unharmed: before the call that sends or receives it, and after it. No client notices.
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "crash/busy_connections.hpp"
#include "crash/shared_death.hpp"
#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

enum class Side { predecessor, successor, replacement, keeper, parent };

struct Row {
  const char* name;
  Side side;
  Death::Call call;
  bool after;
};

// The messages that each side sends at least: Hello, Ready, Listening, Adopted, Bye; Hello, Inherit, Listen, Offer,
// Done.
constexpr int messages_at_least = 5;

class Scene {
 public:
  explicit Scene(Origin& origin) : baton(settings(origin, death)) {}
  ~Scene() { ::kill(baton.pid(), SIGKILL); }

  static Settings settings(Origin& origin, const SharedDeath& death) {
    Settings settings(origin.address());
    settings.own_binary = true;
    settings.arguments = {"--supervise"};
    settings.handoff = "ready_timeout: 15s, step_timeout: 15s, finish_timeout: 50ms, survive: all";
    settings.timeouts += ", shutdown: 100ms";
    settings.shell = death.in_shell();
    return settings;
  }

  void expect_all_to_go_on() {
    // Each is served by one process, and there once.
    connections_.await_that_one_process_has_all(baton);
    EXPECT_EQ(connections_.lost(), std::set<int>{}) << baton.log();
    EXPECT_EQ(baton.connect().get("/bytes/4").body, pattern(4)) << baton.log();
    EXPECT_TRUE(baton.lock_is_held()) << baton.log();
    EXPECT_EQ(baton.pid_in_file(), baton.pid()) << baton.log();
  }

  // If its keeper dies, too, a worker may take every connection with it. No answer has wrong bytes.
  void expect_nothing_wrong() {
    (void)connections_.lost();
    EXPECT_EQ(baton.connect().get("/bytes/4").body, pattern(4)) << baton.log();
  }

  // No worker outlives the parent.
  void expect_the_end() {
    await(
        [this] {
          const auto children = children_of(::getpid());
          return !baton.lock_is_held() && std::ranges::none_of(children, is_alive);
        },
        "every process to end\n" + baton.log());
    EXPECT_EQ(paths_of_an_instance(baton), std::vector<std::string>{}) << baton.log();
  }

  SharedDeath death;
  Baton baton;

 private:
  BusyConnections connections_{baton};
};

// In an upgrade, or after the worker has died.
bool is_upgrade(Side side) {
  return side != Side::replacement && side != Side::keeper;
}

class CrashInAnUpgrade : public testing::TestWithParam<Row> {
 protected:
  Origin origin;
};

class CrashAtAnyMessage : public testing::TestWithParam<Row> {
 protected:
  Origin origin;
};

// Names the process that dies, and begins the upgrade or kills the worker.
void begin(Scene& scene, Side side) {
  const pid_t worker = worker_at_rest(scene.baton);
  const std::vector<pid_t> children = children_of(worker);
  if (children.size() != 1) throw Failure("no keeper");
  if (side == Side::predecessor) scene.death->pid = worker;
  if (side == Side::keeper) scene.death->pid = children.front();
  if (side == Side::parent) scene.death->pid = scene.baton.pid();
  if (side == Side::successor || side == Side::replacement) scene.death->is_for_next = true;
  if (is_upgrade(side)) {
    scene.baton.begin_upgrade();
  } else {
    ::kill(worker, SIGKILL);
  }
}

// All is over, or somebody has died; and a process serves.
void await_end(Scene& scene, Side side) {
  const std::regex over = is_upgrade(side) ? log_lines::upgrade_report : std::regex("connections go on");
  const std::regex known("supervisor: PID [0-9]+ is the instance, generation 2");
  const auto is_over = [&] {
    // The parent hears of it when it likes.
    return scene.baton.count_log_lines(over) != 0 && (side != Side::parent || scene.baton.count_log_lines(known) != 0);
  };
  await([&] { return scene.death.has_come() || is_over(); }, "an end\n" + scene.baton.log());
  if (side == Side::parent && scene.death.has_come()) return;
  await_another_worker(scene.baton, scene.death->victim);
}

TEST_P(CrashAtAnyMessage, IsNothingThatAClientSees) {
  const Row& row = GetParam();
  int deaths = 0;
  for (bool passed = false; !passed && deaths < 60; ++deaths) {
    SCOPED_TRACE("death " + std::to_string(deaths + 1));
    Scene scene(origin);
    scene.death->call = row.call;
    scene.death->after = row.after;
    scene.death->at = deaths + 1;
    begin(scene, row.side);
    await_end(scene, row.side);
    scene.death->pid = 0;  // it may have come only now
    await_end(scene, row.side);
    passed = !scene.death.has_come();
    if (passed) --deaths;
    if (row.side == Side::parent && !passed) {
      scene.expect_the_end();
    } else if (row.side == Side::keeper) {
      scene.expect_nothing_wrong();
    } else {
      scene.expect_all_to_go_on();
    }
    if (HasFailure()) break;
  }
  EXPECT_GE(deaths, messages_at_least);
}

constexpr Row rows[] = {
    {"PredecessorBeforeItSends", Side::predecessor, Death::Call::sendmsg, false},
    {"PredecessorAfterItHasSent", Side::predecessor, Death::Call::sendmsg, true},
    {"PredecessorBeforeItReceives", Side::predecessor, Death::Call::recvmsg, false},
    {"PredecessorAfterItHasReceived", Side::predecessor, Death::Call::recvmsg, true},
    {"SuccessorBeforeItSends", Side::successor, Death::Call::sendmsg, false},
    {"SuccessorAfterItHasSent", Side::successor, Death::Call::sendmsg, true},
    {"SuccessorBeforeItReceives", Side::successor, Death::Call::recvmsg, false},
    {"SuccessorAfterItHasReceived", Side::successor, Death::Call::recvmsg, true},
    {"ReplacementBeforeItSends", Side::replacement, Death::Call::sendmsg, false},
    {"ReplacementAfterItHasSent", Side::replacement, Death::Call::sendmsg, true},
    {"ReplacementBeforeItReceives", Side::replacement, Death::Call::recvmsg, false},
    {"ReplacementAfterItHasReceived", Side::replacement, Death::Call::recvmsg, true},
    {"KeeperBeforeItSends", Side::keeper, Death::Call::sendmsg, false},
    {"KeeperAfterItHasSent", Side::keeper, Death::Call::sendmsg, true},
    {"KeeperAfterItHasReceived", Side::keeper, Death::Call::recvmsg, true},
    {"ParentBeforeItReceives", Side::parent, Death::Call::recvmsg, false},
    {"ParentAfterItHasReceived", Side::parent, Death::Call::recvmsg, true},
};

INSTANTIATE_TEST_SUITE_P(Of, CrashAtAnyMessage, testing::ValuesIn(rows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace baton::harness
