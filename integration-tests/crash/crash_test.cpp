// A worker with a keeper crashes: connections go on in the process that replaces it, with every byte.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <list>
#include <regex>

#include "crash/shared_death.hpp"
#include "harness/log_lines.hpp"
#include "harness/strace.hpp"
#include "kinds.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

using versions::EveryKind;
using versions::Servers;

Settings supervised(Settings settings) {
  settings.own_binary = true;
  settings.arguments = {"--supervise"};
  settings.handoff += ", survive: all";
  return settings;
}

// The keeper has said what became of the connections.
std::string crash_line(int whole, int lost) {
  return "crashed: " + std::to_string(whole) + " connections go on, " + std::to_string(lost) + " were lost";
}

TEST(CrashWithEveryKind, EndsNone) {
  Servers servers;
  const Address web = loopback(free_port()), raw = loopback(free_port());
  Baton baton(supervised(versions::settings_for_every_kind(servers, web, raw)));
  EveryKind clients(versions::unreleased, servers.origin, web, raw);
  baton.await_number("connections.head", 1);
  baton.await_number("connections.idle", 1);
  const int all = static_cast<int>(versions::kinds_of(versions::unreleased).size());
  std::size_t crashes = 0;
  for (const int signal : {SIGKILL, SIGSEGV}) {
    const pid_t worker = worker_at_rest(baton);
    ::kill(worker, signal);
    ++crashes;
    await([&] { return baton.count_log_lines(std::regex(crash_line(all, 0))) == crashes; }, "all to go on\n" + baton.log());
  }
  clients.go_on();
}

enum class Side { predecessor, successor };

class CrashInAnUpgradeWithEveryKind : public testing::TestWithParam<std::pair<Side, int>> {};

// It dies when it has sent so many messages: among them are several Offers, or the answers.
TEST_P(CrashInAnUpgradeWithEveryKind, EndsNone) {
  const auto [side, messages] = GetParam();
  Servers servers;
  const Address web = loopback(free_port()), raw = loopback(free_port());
  SharedDeath death;
  Settings settings = supervised(versions::settings_for_every_kind(servers, web, raw));
  settings.shell = death.in_shell();
  Baton baton(settings);
  EveryKind clients(versions::unreleased, servers.origin, web, raw);
  baton.await_number("connections.head", 1);
  baton.await_number("connections.idle", 1);
  const pid_t worker = worker_at_rest(baton);
  death->after = true;
  death->at = messages;
  if (side == Side::predecessor) death->pid = worker;
  if (side == Side::successor) death->is_for_next = true;
  baton.begin_upgrade();
  await([&] { return death.has_come(); }, "its death\n" + baton.log());
  baton.await_log(std::regex(side == Side::predecessor ? "serving: .* generation 2" : "upgrade: (failed|rolled back)"));
  clients.go_on();
}

INSTANTIATE_TEST_SUITE_P(Of, CrashInAnUpgradeWithEveryKind,
                         testing::Values(std::pair(Side::predecessor, 4), std::pair(Side::predecessor, 5),
                                         std::pair(Side::predecessor, 6), std::pair(Side::successor, 4),
                                         std::pair(Side::successor, 5)));

class Crash : public Supervised {
 protected:
  Crash() : Supervised([](Settings& settings) { settings.handoff += ", survive: all"; }) {}

  pid_t keeper() const {
    const std::vector<pid_t> children = children_of(worker());
    return children.size() == 1 ? children.front() : 0;
  }
  void await_crash_line(int whole, int lost) { baton.await_log(std::regex(crash_line(whole, lost))); }
};

TEST_F(Crash, IsSeenByOperators) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  const pid_t before = worker();
  crash(SIGSEGV);
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7));
  const boost::json::object crashes = baton.status().at("crashes").as_object();
  EXPECT_EQ(crashes.at("total"), 1);
  EXPECT_EQ(crashes.at("whole_total"), 1);
  EXPECT_EQ(crashes.at("lost_total"), 0);
  const boost::json::object& last = crashes.at("last").as_object();
  EXPECT_EQ(last.at("pid"), before);
  EXPECT_EQ(last.at("signal"), SIGSEGV);
  EXPECT_GT(last.at("stall_us").to_number<std::uint64_t>(), 0u);
  const std::regex line("PID " + std::to_string(before) + ", was killed by signal 11");
  await([&] { return baton.count_log_lines(line) == 1; }, "the parent to say so\n" + baton.log());
  upgrade();
  EXPECT_EQ(baton.status().at("crashes").at("total"), 1) << "later generations know of it";
}

// An exchange that kills its worker would move, and kill the next one, too.
TEST_F(Crash, ComingAgainAndAgainSparesOnlyIdleConnectionsAndThenNone) {
  Client busy = baton.connect(), idle = baton.connect();
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  idle.get("/bytes/1");
  crash();
  crash();
  await([&] { return baton.count_log_lines(std::regex(crash_line(2, 0))) == 2; }, "both to go on twice\n" + baton.log());
  crash();
  await_crash_line(1, 1);
  std::string left;
  EXPECT_EQ(busy.read_to_end(left), End::reset);
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7));
  const pid_t fourth = worker();
  EXPECT_EQ(baton.number("crashes.lost_total"), 1);
  crash();
  baton.await_log(std::regex("one crash of many in a row"));
  EXPECT_EQ(baton.number("crashes.total"), 4);
  EXPECT_EQ(baton.number("crashes.lost_total"), 2);
  EXPECT_EQ(baton.number("crashes.last.pid"), fourth);
  EXPECT_EQ(baton.number("crashes.last.lost"), 1);
  EXPECT_GT(baton.number("crashes.last.stall_us"), 0);
  const pid_t fifth = worker();
  await_known(fifth);
  ::kill(fifth, SIGKILL);
  EXPECT_EQ(baton.await_exit(), (Ended{1, 0})) << baton.log();
  EXPECT_EQ(baton.count_log_lines(std::regex("gives up after 5 crashes in a row")), 1u) << baton.log();
  expect_nothing_left();
}

TEST_F(Crash, WithoutAKeeperIsReplacedAsEver) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  await_known(worker());
  EXPECT_EQ(baton.number("keeper"), keeper());
  ::kill(keeper(), SIGKILL);
  baton.await_log(std::regex("the keeper has ended"));
  EXPECT_TRUE(baton.status().at("keeper").is_null());
  const pid_t first = worker();
  crash();
  EXPECT_EQ(baton.number("crashes.last.pid"), first);
  std::string left;
  EXPECT_EQ(idle.read_to_end(left), End::fin);
  EXPECT_EQ(baton.connect().get("/bytes/7").body, pattern(7));
  Client next = baton.connect();
  next.get("/bytes/1");
  crash();
  EXPECT_EQ(next.get("/bytes/7").body, pattern(7)) << "that one has a keeper";
}

TEST_F(Crash, WhoseKeeperHangsIsReplacedAfterAWhile) {
  await_known(worker());
  stop_and_await(keeper());
  crash();
  EXPECT_EQ(baton.count_log_lines(std::regex("supervisor: ends the keeper")), 1u) << baton.log();
  EXPECT_EQ(baton.connect().get("/bytes/7").body, pattern(7));
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(Crash, OfBothKeeperAndWorkerIsReplacedAsEver) {
  await_known(worker());
  const pid_t both[] = {keeper(), worker()};
  stop_and_await(both[0]);
  ::kill(both[1], SIGKILL);
  ::kill(both[0], SIGKILL);
  await_another_worker(both[1]);
  EXPECT_EQ(baton.connect().get("/bytes/7").body, pattern(7));
}

TEST_F(Crash, WhileToldToStopStillEndsInOrder) {
  await_known(worker());
  const pid_t before = worker();
  const pid_t keeper = this->keeper();
  stop_and_await(keeper);
  ::kill(before, SIGKILL);
  baton.await_log(std::regex("waits for its keeper"));
  baton.signal(SIGTERM);
  ::kill(keeper, SIGCONT);
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

TEST_F(Crash, LeavesNoKeeperBehindAtAnEndOrAnUpgrade) {
  const pid_t first = keeper();
  EXPECT_NE(first, 0);
  upgrade();
  await([&] { return !is_alive(first); }, "the first keeper to end");
  const pid_t second = keeper();
  EXPECT_NE(second, 0);
  EXPECT_EQ(stop(), (Ended{0, 0}));
  await([&] { return !is_alive(second); }, "the second keeper to end");
  expect_nothing_left();
}

TEST_F(Crash, MayCostAllIfTheConfigurationSaysSo) {
  const std::string before = read_file(baton.config_path());
  replace_file(baton.config_path(), std::regex_replace(before, std::regex("survive: all"), "survive: \"off\""));
  Client idle = baton.connect();
  idle.get("/bytes/1");
  baton.signal(SIGHUP);
  baton.await_log(std::regex("reload: done"));
  crash();
  std::string left;
  EXPECT_EQ(idle.read_to_end(left), End::reset);
  EXPECT_EQ(children_of(worker()).size(), 0u) << "the next one has no keeper";
}

// The parent reads the last word of the keeper before it knows that the worker is dead.
TEST_F(Crash, ThatEndsAllIsCountedAlsoByAParentThatHearsLate) {
  const std::string before = read_file(baton.config_path());
  replace_file(baton.config_path(), std::regex_replace(before, std::regex("survive: all"), "survive: \"off\""));
  Client idle = baton.connect();
  idle.get("/bytes/1");
  baton.signal(SIGHUP);
  baton.await_log(std::regex("reload: done"));
  EXPECT_TRUE(baton.status().at("keeper").is_null()) << "it would save nothing";
  const pid_t crashed = worker();
  const pid_t keeper = children_of(crashed).front();
  await_rest(crashed);
  stop_and_await(parent);
  ::kill(crashed, SIGKILL);
  await([&] { return !is_alive(keeper); }, "the keeper to end");
  ::kill(parent, SIGCONT);
  await_another_worker(crashed);
  EXPECT_EQ(baton.number("crashes.last.pid"), crashed);
  EXPECT_EQ(baton.number("crashes.lost_total"), 1);
}

TEST_F(Crash, SparesWhatIsReadSlowlyOfALongAnswerOfOurOwn) {
  const std::string page = pattern(1'000'000);
  replace_file(baton.directory() / "page.txt", page);
  replace_file(baton.config_path(), read_file(baton.config_path()) +
                                        "routes:\n  - { match: { path: /page }, respond: { file: \"" +
                                        (baton.directory() / "page.txt") + "\" } }\n  - { upstream: web }\n");
  baton.signal(SIGHUP);
  baton.await_log(std::regex("reload: done"));
  Client slow = baton.connect();
  slow.send(get_request("/page"));
  baton.await_number("connections.exchange", 1);
  crash();
  EXPECT_EQ(slow.response().body, page);
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
}

TEST_F(Crash, LeavesADrainAsItWas) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  EXPECT_EQ(ctl({"drain"}).code, 0);
  EXPECT_EQ(baton.readyz(), 503);
  crash();
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7));
  EXPECT_EQ(baton.readyz(), 503);
  EXPECT_EQ(ctl({"drain", "--undo"}).code, 0);
  EXPECT_EQ(baton.readyz(), 200);
}

// Whether the old configuration or the new one is in force then. A thread that gives it to its connections runs them.
TEST_F(Crash, DuringAReloadCostsAtMostAConnectionOfEachThread) {
  constexpr int all = 10, threads = 2;
  std::list<Client> idle;
  for (int i = 0; i < all; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
  int lost = 0;
  for (const useconds_t microseconds : {2'000, 8'000}) {
    const pid_t before = worker();
    await_known(before);
    baton.signal(SIGHUP);
    ::usleep(microseconds);
    ::kill(before, SIGKILL);
    await_another_worker(before);
    lost += threads;
  }
  int here = 0;
  for (Client& client : idle) {
    try {
      EXPECT_EQ(client.get("/bytes/7").body, pattern(7)) << baton.log();
      ++here;
    } catch (const ConnectionEnded&) {
    }
  }
  EXPECT_GE(here, all - lost) << baton.log();
}

TEST_F(Crash, KnowsALockThatWasMadeAgain) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  std::filesystem::remove(baton.directory() / "handoff.sock.lock");
  install("/bin/false");
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade: failed"));
  crash();
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7)) << baton.log();
  install(baton_binary());
  upgrade();
  EXPECT_EQ(stop(), (Ended{0, 0})) << baton.log();
  expect_nothing_left();
}

// At the n-th call of the thread that serves it, a client's exchange costs nothing but itself.
class CrashAtACall : public Crash, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    if (!can_attach()) GTEST_SKIP() << "strace is not installed, or may not trace here";
  }
};

TEST_P(CrashAtACall, CostsAtMostTheConnectionThatIsRun) {
  Client idle = baton.connect(), tunnel = baton.connect(), poison = baton.connect();
  idle.get("/bytes/1");
  poison.get("/bytes/1");
  tunnel.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(read_head(tunnel).start_line, "HTTP/1.1 101 Switching Protocols");
  const pid_t before = worker();
  await_known(before);
  Process tracer({{"sh", "-c", "exec strace -f -o /dev/null " +
                                   injection("recvfrom,sendto,epoll_wait", "signal=KILL", GetParam()) + " -p " +
                                   std::to_string(before)}});
  tracer.await_line(Process::Stream::err, std::regex("attached"));
  try {
    // It goes on if the thread was between two turns: then its next answers come from the next process.
    for (int i = 0; i < 20; ++i) EXPECT_EQ(poison.get("/bytes/10").body, pattern(10));
  } catch (const ConnectionEnded&) {
  }
  await_another_worker(before);
  EXPECT_EQ(idle.get("/bytes/7").body, pattern(7)) << baton.log();
  tunnel.send("still there");
  EXPECT_EQ(tunnel.read_exactly(11), "still there");
}

INSTANTIATE_TEST_SUITE_P(Each, CrashAtACall, testing::Range(1, 10));

}  // namespace
}  // namespace baton::harness
