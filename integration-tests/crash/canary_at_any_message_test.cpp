// One side of a canary dies at its first message, then at its second, its third, until all passes unharmed: before the
// call that sends it, and after it. Without a keeper, what it had ends with it; with one, what it was running.
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <regex>

#include "crash/busy_connections.hpp"
#include "crash/shared_death.hpp"
#include "harness/aftermath.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

enum class Side { predecessor, successor };
enum class Decision { promote, rollback };

struct Row {
  const char* name;
  Side side;
  Decision decision;
  bool has_keeper;
  bool after;
};

// Each may be running a connection when it dies, which is lost.
constexpr int threads = 2;
// Each side sends more: Hello, Ready, Listening, Trial, Adopted, Returning, Returned; Hello,
// Inherit, Listen, Offer, Recall. On a busy machine it may be over before some of them.
constexpr int messages_at_least = 3;

const std::regex has_begun{R"(upgrade: 50% of the clients try the successor)"};
const std::regex is_over{R"(upgrade: (failed|rolled back): |upgrade: .*moved=\d+)"};

class Scene {
 public:
  Scene(const Origin& origin, const Row& what) : row(what), baton(with(origin, "old")) {
    replace_file(baton.config_path(), to_yaml(with(origin, "new"), baton.directory()));
    before = row.has_keeper ? worker_at_rest(baton) : baton.pid();
  }
  ~Scene() {
    if (row.has_keeper) ::kill(baton.pid(), SIGKILL);
  }

  // Answers say which configuration they were given under.
  Settings with(const Origin& origin, const std::string& name) const {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() + "\" }\n" +
                        "routes:\n  - { response_headers: { set: { X-Served-By: " + name +
                        " } }, upstream: app }\nupstreams:\n  - { name: app, servers: [ { address: \"" +
                        origin.address().text() + "\" } ] }\n";
    settings.own_binary = true;
    if (row.has_keeper) settings.arguments = {"--supervise"};
    settings.handoff =
        "ready_timeout: 15s, step_timeout: 15s, finish_timeout: 50ms, drain_timeout: 300ms, "
        "canary: { share: 50%, bake: 10m, max: 20m }";
    settings.timeouts += ", shutdown: 100ms";
    settings.shell = death.in_shell();
    return settings;
  }

  void name_the_dead(int at) {
    death->call = Death::Call::sendmsg_of_a_frame;  // what goes to clients, as a message of an exchange, is no message
    death->after = row.after;
    death->at = at;
    if (row.side == Side::predecessor) death->pid = before;
    if (row.side == Side::successor) death->is_for_next = true;
  }

  // Up to the death, or to the end.
  void run() {
    baton.begin_upgrade();
    await_or_death([this] { return baton.count_log_lines(has_begun) != 0; }, "a canary");
    unless_dead([this] { await_that_it_has_its_share(); });
    unless_dead([this] { decide(); });
    await_or_death([this] { return baton.count_log_lines(is_over) != 0; }, "an end");
    death->pid = 0;  // it may have come only now
    if (death.has_come()) await([this] { return death->victim != 0 && !is_alive(death->victim); }, "the death");
  }

  // False: the service has ended with the dead one.
  bool await_instance() {
    const bool is_dead = death.has_come();
    const bool is_orphaned = is_dead && row.side == Side::predecessor;
    const auto has_ended = [this] { return baton.count_log_lines(is_over) != 0; };
    if (row.has_keeper) {
      const bool is_promoted = !is_dead && row.decision == Decision::promote;
      const pid_t after = await_another_worker(baton, is_dead ? death->victim.load() : is_promoted ? before : 0);
      if (after == before) await(has_ended, "an end\n" + baton.log());
      return true;
    }
    if (!is_orphaned) await(has_ended, "an end\n" + baton.log());
    if (!is_orphaned && baton.count_log_lines(log_lines::upgrade_failed) != 0) return true;
    EXPECT_EQ(baton.await_exit(), is_orphaned ? (Ended{-1, SIGKILL}) : (Ended{0, 0})) << baton.log();
    const auto nobody_lives = [] { return std::ranges::none_of(children_of(::getpid()), is_alive); };
    await([&] { return baton.pid_in_file() != before || nobody_lives(); }, "a successor, or nobody");
    if (is_dead && nobody_lives()) return false;
    baton.follow_pid_file();
    return true;
  }
  // A predecessor dies before the successor is ready, or has everything back; or a successor dies as the instance.
  void expect_that_nobody_could_go_on() {
    const std::regex has_it_back("the predecessor has everything back");
    const bool was_alone = row.side == Side::successor ? baton.count_log_lines(log_lines::upgrade_failed) == 0
                           : is_recalled()             ? baton.count_log_lines(has_it_back) != 0
                                                       : baton.count_log_lines(has_begun) == 0;
    EXPECT_TRUE(was_alone) << baton.log();
  }

  void expect_that_only_the_dead_one_s_are_lost() {
    const std::set<int> lost = connections.lost();
    if (!death.has_come()) {
      EXPECT_EQ(lost, std::set<int>{}) << baton.log();
    } else if (row.has_keeper) {
      EXPECT_LE(lost.size(), std::size_t{threads}) << baton.log();
    } else if (of_canary && row.side == Side::successor) {
      // Until it is promoted, it has no others.
      for (const int client : lost) EXPECT_TRUE(of_canary->contains(client) || is_promoted()) << client << baton.log();
    } else if (of_canary && !is_recalled()) {
      for (const int client : *of_canary) {
        EXPECT_FALSE(BusyConnections::is_idle(client) && lost.contains(client)) << client << baton.log();
      }
    } else if (row.side == Side::successor && baton.count_log_lines(has_begun) == 0) {
      EXPECT_EQ(lost, std::set<int>{}) << baton.log();
    }
    // Each of the others is served once.
    baton.await_number("connections.total", BusyConnections::number - static_cast<int>(lost.size()));
  }

  void expect_that_all_goes_on() {
    if (row.has_keeper) {
      EXPECT_TRUE(baton.lock_is_held()) << baton.log();
      EXPECT_EQ(baton.pid_in_file(), baton.pid()) << baton.log();
    } else {
      expect_one_instance(baton);
    }
    for (int i = 0; i < BusyConnections::number; ++i) {
      EXPECT_EQ(Client(web, BusyConnections::address(i)).get("/bytes/4").body, pattern(4)) << baton.log();
    }
    const Outcome next = ctl({"upgrade", "--canary", "off"});
    EXPECT_EQ(next.code, 0) << next.out << next.err << baton.log();
  }

  const Row row;
  const Address web = loopback(free_port());
  SharedDeath death;
  Baton baton;
  BusyConnections connections{baton};
  pid_t before = 0;
  std::optional<std::set<int>> of_canary;  // once it has them
  bool is_decided = false;

 private:
  bool is_promoted() const { return is_decided && row.decision == Decision::promote; }
  bool is_recalled() const { return is_decided && row.decision == Decision::rollback; }

  template <class Condition>
  void await_or_death(Condition condition, const std::string& what) {
    await([&] { return death.has_come() || condition(); }, what + "\n" + baton.log());
  }
  // What it cuts short is no failure.
  template <class Step>
  void unless_dead(Step step) {
    try {
      if (!death.has_come()) step();
    } catch (const Failure&) {
      if (!death.has_come()) throw;
    }
  }

  // A new connection goes to where its client is. One that is in the middle of a message follows when it is over.
  void await_that_it_has_its_share() {
    std::set<int> share;
    for (int i = 0; i < BusyConnections::number; ++i) {
      Client fresh(web, BusyConnections::address(i));
      if (fresh.get("/bytes/1").field("X-Served-By") == "new") share.insert(i);
    }
    const auto idle = static_cast<int>(std::ranges::count_if(share, BusyConnections::is_idle));
    await_or_death([&] { return baton.number("connections.idle") == BusyConnections::idle - idle; },
                   "the canary to have its share");
    if (!death.has_come()) of_canary = share;
  }
  void decide() {
    is_decided = true;
    Client admin(unix_socket(baton.directory() / "admin.sock"));
    const std::string path = row.decision == Decision::promote ? "/promote" : "/rollback";
    admin.send("POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    await_or_death([this] { return baton.count_log_lines(is_over) != 0; }, "an end");
  }

  Outcome ctl(std::vector<std::string> words) const {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"--admin", "unix:" + (baton.directory() / "admin.sock")});
    return run_baton(std::move(words));
  }
};

class CanaryAtAnyMessage : public testing::TestWithParam<Row> {
 protected:
  Origin origin;
};

TEST_P(CanaryAtAnyMessage, CostsWhatTheDeadOneHadAndNothingElse) {
  int deaths = 0;
  for (bool passed = false; !passed && deaths < 60 && !HasFailure();) {
    SCOPED_TRACE("death " + std::to_string(deaths + 1));
    Scene scene(origin, GetParam());
    scene.name_the_dead(deaths + 1);
    scene.run();
    // Chance may choose no client, and then there are fewer messages: that is no end.
    passed = !scene.death.has_come() && scene.of_canary && !scene.of_canary->empty();
    deaths += scene.death.has_come() ? 1 : 0;
    if (!scene.await_instance()) {
      scene.expect_that_nobody_could_go_on();
      continue;
    }
    scene.expect_that_only_the_dead_one_s_are_lost();
    scene.expect_that_all_goes_on();
  }
  EXPECT_GE(deaths, messages_at_least);
}

constexpr Row rows[] = {
    {"PredecessorThatPromotesBeforeItSends", Side::predecessor, Decision::promote, false, false},
    {"PredecessorThatPromotesAfterItHasSent", Side::predecessor, Decision::promote, false, true},
    {"PredecessorThatCallsBackBeforeItSends", Side::predecessor, Decision::rollback, false, false},
    {"PredecessorThatCallsBackAfterItHasSent", Side::predecessor, Decision::rollback, false, true},
    {"PromotedCanaryBeforeItSends", Side::successor, Decision::promote, false, false},
    {"PromotedCanaryAfterItHasSent", Side::successor, Decision::promote, false, true},
    {"CalledBackCanaryBeforeItSends", Side::successor, Decision::rollback, false, false},
    {"CalledBackCanaryAfterItHasSent", Side::successor, Decision::rollback, false, true},
    {"KeptPredecessorThatPromotesBeforeItSends", Side::predecessor, Decision::promote, true, false},
    {"KeptPredecessorThatPromotesAfterItHasSent", Side::predecessor, Decision::promote, true, true},
    {"KeptPredecessorThatCallsBackBeforeItSends", Side::predecessor, Decision::rollback, true, false},
    {"KeptPredecessorThatCallsBackAfterItHasSent", Side::predecessor, Decision::rollback, true, true},
    {"KeptPromotedCanaryBeforeItSends", Side::successor, Decision::promote, true, false},
    {"KeptPromotedCanaryAfterItHasSent", Side::successor, Decision::promote, true, true},
    {"KeptCalledBackCanaryBeforeItSends", Side::successor, Decision::rollback, true, false},
    {"KeptCalledBackCanaryAfterItHasSent", Side::successor, Decision::rollback, true, true},
};

INSTANTIATE_TEST_SUITE_P(Of, CanaryAtAnyMessage, testing::ValuesIn(rows),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace baton::harness
