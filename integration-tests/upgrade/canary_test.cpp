// With a canary, the successor first serves a share of the clients. If they fare badly there, or an operator says so,
// all of it comes back; if they fare well, all others follow.
#include <gtest/gtest.h>
#include <signal.h>

#include <deque>
#include <filesystem>
#include <map>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"
#include "supervise/supervised.hpp"

namespace baton::harness {
namespace {

const std::regex has_begun{R"(upgrade: 50% of the clients try the successor)"};

class Canary : public testing::Test {
 protected:
  // Answers say which configuration they were given under.
  Settings with(const std::string& name, const std::string& canary, const Address& server) const {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() + "\" }\n  - { name: raw, bind: \"" +
                        raw.text() + "\", protocol: tcp, upstream: app }\n" + more_listeners +
                        "routes:\n  - { response_headers: { set: { X-Served-By: " + name +
                        " } }, upstream: app }\nupstreams:\n  - { name: app, servers: [ { address: \"" + server.text() +
                        "\" } ] }\n";
    settings.handoff += ", finish_timeout: 100ms" + (canary.empty() ? "" : ", canary: " + canary);
    settings.own_binary = true;
    settings.arguments = arguments;
    return settings;
  }
  void configure(const Settings& settings) {
    replace_file(baton->config_path(), to_yaml(settings, baton->directory()));
  }
  void start(const std::string& canary) {
    baton = std::make_unique<Baton>(with("old", canary, origin.address()));
    configure(with("new", canary, origin.address()));
  }
  // The next upgrade's successor reaches no server.
  void make_it_bad(const std::string& canary) { configure(with("new", canary, loopback(free_port()))); }
  pid_t begin() {
    baton->begin_upgrade();
    const std::string started = baton->await_log(std::regex("started .* as PID [0-9]+"));
    baton->await_log(has_begun);
    return static_cast<pid_t>(std::stol(started.substr(started.rfind(' '))));
  }
  Outcome ctl(std::vector<std::string> words) const {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"--admin", "unix:" + (baton->directory() / "admin.sock")});
    return run_baton(std::move(words));
  }
  static std::string address(int client) { return "127.0.3." + std::to_string(client + 1); }
  Client connect(int client) const { return Client(web, address(client)); }
  static std::string served_by(Client& client) {
    return client.get("/bytes/3").field("X-Served-By").value_or("nobody");
  }

  // Each may be running a connection when it dies, which is lost.
  static constexpr int threads = 2;
  template <class Talk>
  static int lost_instead_of(Talk talk) {
    try {
      talk();
      return 0;
    } catch (const Failure&) {
      return 1;
    }
  }

  // A client for each of so many addresses, with one answer each.
  std::deque<Client> clients(int number) const {
    std::deque<Client> all;
    for (int i = 0; i < number; ++i) {
      all.emplace_back(web, address(i)).get("/bytes/1");
    }
    return all;
  }
  // A client's connection moves when it has no request, at the latest after the next one.
  std::map<int, std::string> who_serves(std::deque<Client>& all) const {
    std::map<int, std::string> served;
    for (int i = 0; i < static_cast<int>(all.size()); ++i) {
      await([&] { return (served[i] = served_by(all[static_cast<std::size_t>(i)])) == of_new_connection(i); },
            "client " + std::to_string(i) + " to be served by one process");
    }
    return served;
  }
  std::string of_new_connection(int client) const {
    Client fresh = connect(client);
    return served_by(fresh);
  }
  static std::size_t number_of(const std::map<int, std::string>& served, const std::string& name) {
    return static_cast<std::size_t>(std::ranges::count_if(served, [&](const auto& one) { return one.second == name; }));
  }
  int one_of(const std::map<int, std::string>& served, const std::string& name) const {
    const auto found = std::ranges::find_if(served, [&](const auto& one) { return one.second == name; });
    return found == served.end() ? throw Failure("no client is served by the " + name) : found->first;
  }
  void expect_that_the_old_one_serves_all(std::deque<Client>& all, const std::string& why) {
    const std::string line = baton->await_log(log_lines::upgrade_failed);
    EXPECT_NE(line.find(why), std::string::npos) << line;
    EXPECT_EQ(baton->number("generation"), 1);
    EXPECT_EQ(baton->pid_in_file(), baton->pid());
    for (Client& one : all) EXPECT_EQ(served_by(one), "old");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(of_new_connection(i), "old");
  }
  void expect_that_the_next_upgrade_moves(std::size_t connections) {
    configure(with("next", "", origin.address()));
    baton->signal(SIGHUP);
    baton->await_log(log_lines::reload_done);
    const std::string report = baton->upgrade();
    EXPECT_NE(report.find("moved=" + std::to_string(connections) + " "), std::string::npos) << report;
    EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
  }

  const std::string waits = "{ share: 50%, bake: 10m, max: 20m }";
  Origin origin;
  Address web = loopback(free_port());
  Address raw = loopback(free_port());
  std::string more_listeners;
  std::vector<std::string> arguments;
  std::unique_ptr<Baton> baton;
};

TEST_F(Canary, ServesAShareOfTheClientsAndAlwaysTheSameUntilItIsPromoted) {
  start(waits);
  auto all = clients(40);
  begin();
  const auto served = who_serves(all);
  const std::size_t of_canary = number_of(served, "new");
  EXPECT_GE(of_canary, 5U);
  EXPECT_LE(of_canary, 35U);
  EXPECT_EQ(number_of(served, "old"), 40 - of_canary);
  for (int again = 0; again < 3; ++again) {
    for (const auto& [client, name] : served) EXPECT_EQ(of_new_connection(client), name) << client;
  }
  EXPECT_EQ(baton->number("generation"), 1) << "the predecessor is the instance";
  EXPECT_EQ(ctl({"upgrade"}).code, 1) << "one at a time";
  const Outcome promoted = ctl({"promote"});
  EXPECT_EQ(promoted.code, 0) << promoted.out << promoted.err;
  const std::string report = baton->finish_upgrade();
  EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
  for (Client& one : all) EXPECT_EQ(served_by(one), "new");
  EXPECT_EQ(baton->number("connections.total"), 40);
  EXPECT_EQ(of_new_connection(0), "new");
  EXPECT_EQ(ctl({"promote"}).code, 1) << "there is none any more";
  const boost::json::value canary = baton->status().at("last_upgrade").at("canary");
  EXPECT_EQ(canary.at("decided_by"), "command");
  EXPECT_EQ(canary.at("verdict"), "go_on");
  EXPECT_GE(canary.at("others").at("exchanges").to_number<int>(), 40 - static_cast<int>(of_canary));
}

TEST_F(Canary, ThatFaresWellGoesOnByItself) {
  start("{ share: 50%, bake: 1s, max: 20m }");
  auto all = clients(40);
  begin();
  await(
      [&] {
        for (Client& one : all) one.get("/bytes/1");
        return baton->count_log_lines(std::regex("the canary goes on")) == 1;
      },
      "it to go on\n" + baton->log());
  baton->finish_upgrade();
  for (Client& one : all) EXPECT_EQ(served_by(one), "new");
}

// Whatever a connection does: it comes back, and goes on at the byte where it was.
TEST_F(Canary, ThatFaresBadlyGivesBackAllThatItHas) {
  start(waits);
  auto all = clients(40);
  make_it_bad(waits);
  // Those that have their servers already fare well in the canary, too.
  struct Long {
    Long(const Address& web, const Address& raw, const std::string& from)
        : websocket(web, from), upload(web, from), download(web, from), tunnel(raw, from) {}
    Client websocket, upload, download, tunnel;
  };
  std::deque<Long> long_ones;
  const std::string uploaded = post_request("/count", pattern(300'000));
  for (int i = 0; i < 6; ++i) {
    Long& one = long_ones.emplace_back(web, raw, address(i));
    EXPECT_EQ(one.websocket.get("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status(), 101);
    one.tunnel.get("/bytes/5");
    one.upload.send(uploaded.substr(0, 100'000));
    one.download.send(get_request("/half/50000"));
  }
  origin.gate().await_arrivals(6);
  begin();
  std::size_t failed = 0;
  await(
      [&] {
        for (Long& one : long_ones) {
          one.websocket.send("abc");
          EXPECT_EQ(one.websocket.read_exactly(3), "abc");
          EXPECT_EQ(one.tunnel.get("/bytes/7").body, pattern(7));
        }
        for (Client& one : all) failed += one.get("/bytes/1").status() != 200;
        return baton->count_log_lines(std::regex("the canary is called back")) == 1;
      },
      "it to be called back\n" + baton->log());
  EXPECT_GT(failed, 2U);
  expect_that_the_old_one_serves_all(all, "the canary was called back");
  origin.gate().open();
  for (Long& one : long_ones) {
    one.websocket.send("after");
    EXPECT_EQ(one.websocket.read_exactly(5), "after");
    EXPECT_EQ(one.tunnel.get("/bytes/5").body, pattern(5));
    one.upload.send(uploaded.substr(100'000));
    EXPECT_EQ(one.upload.response().body, "300000 as sent");
    EXPECT_EQ(one.download.response().body, pattern(50000));
  }
  const boost::json::value canary = baton->status().at("last_upgrade").at("canary");
  EXPECT_EQ(canary.at("verdict"), "back");
  EXPECT_EQ(canary.at("decided_by"), "comparison");
  EXPECT_EQ(canary.at("others").at("clients_failed"), 0);
  expect_that_the_next_upgrade_moves(40 + 6 * 4);
}

// Servers that fail are no fault of the successor.
TEST_F(Canary, IsNotToBlameForServersThatFailBothProcesses) {
  const Address nowhere = loopback(free_port());
  baton = std::make_unique<Baton>(with("old", waits, nowhere));
  configure(with("new", waits, nowhere));
  auto all = clients(40);
  begin();
  for (int i = 0; i < 20; ++i) {
    for (Client& one : all) EXPECT_EQ(one.get("/bytes/1").status(), 502);
  }
  EXPECT_EQ(ctl({"promote"}).code, 0);
  baton->finish_upgrade();
  EXPECT_EQ(baton->count_log_lines(std::regex("is called back")), 0U);
}

TEST_F(Canary, IsCalledBackByARollback) {
  start(waits);
  auto all = clients(20);
  begin();
  const int client = one_of(who_serves(all), "new");
  Client held = connect(client);
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  const Outcome outcome = ctl({"rollback"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  expect_that_the_old_one_serves_all(all, "cancelled by command");
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton->status().at("last_upgrade").at("canary").at("decided_by"), "command");
  expect_that_the_next_upgrade_moves(21);
}

TEST_F(Canary, IsCalledBackByAStopAndThePredecessorFinishesWhatItServes) {
  start(waits);
  auto all = clients(20);
  begin();
  const int client = one_of(who_serves(all), "new");
  Client held = connect(client);
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  all.clear();
  baton->signal(SIGTERM);
  baton->await_log(std::regex("stopping \\(SIGTERM\\)"));
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton->await_exit(), (Ended{0, 0}));
}

TEST_F(Canary, OutlastsAReloadAndASecondUpgradeWhichComeToo) {
  start(waits);
  auto all = clients(10);
  begin();
  baton->signal(SIGUSR2);
  baton->await_log(std::regex("refused: one is in progress already, with a canary; `baton ctl promote`"));
  EXPECT_EQ(ctl({"reload"}).code, 1);
  configure(with("newer", waits, origin.address()));
  baton->signal(SIGHUP);
  EXPECT_EQ(ctl({"promote"}).code, 0);
  baton->finish_upgrade();
  baton->await_log(log_lines::reload_done);
  for (Client& one : all) EXPECT_EQ(served_by(one), "newer");
}

// A stop that is meant for the canary alone, by its own PID.
TEST_F(Canary, ThatIsToldToStopGivesBackAllThatItHas) {
  start(waits);
  auto all = clients(20);
  const pid_t canary = begin();
  const int client = one_of(who_serves(all), "new");
  Client held = connect(client);
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  ::kill(canary, SIGTERM);
  expect_that_the_old_one_serves_all(all, "told to stop by a signal");
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton->status().at("last_upgrade").at("canary").at("decided_by"), "failure");
}

// Else they would concern only some of the clients, or have to wait for hours.
TEST_F(Canary, IsNoTimeForCommandsThatItWouldNotLearnOf) {
  start(waits);
  auto all = clients(10);
  begin();
  (void)who_serves(all);
  EXPECT_EQ(ctl({"maintenance", "on"}).code, 1);
  EXPECT_EQ(ctl({"server", "app/" + origin.address().text(), "down"}).code, 1);
  for (Client& one : all) EXPECT_EQ(one.get("/bytes/1").status(), 200);
  EXPECT_EQ(ctl({"rollback"}).code, 0);
  baton->await_log(log_lines::upgrade_failed);
  const Outcome again = ctl({"rollback"});
  EXPECT_EQ(again.code, 1) << "it was meant for the canary";
  EXPECT_NE(again.err.find("has come back already"), std::string::npos) << again.err;
  EXPECT_EQ(ctl({"maintenance", "on"}).code, 0);
}

TEST_F(Canary, CanBeCalledOffBeforeItServes) {
  baton = std::make_unique<Baton>(with("old", "", origin.address()));
  replace_file(baton->binary_path(), "#!/bin/sh\nexec sleep 600\n");
  std::filesystem::permissions(baton->binary_path(), std::filesystem::perms::owner_all);
  Process upgrade({{baton_binary(), "ctl", "upgrade", "--canary", "50%", "--admin",
                    "unix:" + (baton->directory() / "admin.sock")}});
  upgrade.await_line(Process::Stream::out, std::regex("^started"));
  const Outcome early = ctl({"promote"});
  EXPECT_NE(early.err.find("has not begun"), std::string::npos) << early.err;
  EXPECT_EQ(ctl({"rollback"}).code, 0);
  EXPECT_EQ(upgrade.await_exit(), (Ended{1, 0}));
  EXPECT_EQ(of_new_connection(0), "old");
}

// Whatever is wrong with it is said, and not that it knows no canaries.
TEST_F(Canary, WithAnInvalidConfigurationIsRefusedForThat) {
  start("");
  replace_file(baton->config_path(), "nonsense: true\n");
  const Outcome outcome = ctl({"reload", "--canary", "50%"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find("unknown key `nonsense`"), std::string::npos) << outcome.out;
}

TEST_F(Canary, KeepsTheLimitOfConnectionsPerClient) {
  Settings settings = with("old", waits, origin.address());
  settings.limits = "connections_per_client: 3";
  baton = std::make_unique<Baton>(settings);
  settings.topology = with("new", waits, origin.address()).topology;
  configure(settings);
  auto all = clients(20);
  begin();
  const auto served = who_serves(all);
  for (const std::string name : {"old", "new"}) {
    const int client = one_of(served, name);
    Client second = connect(client);
    EXPECT_EQ(served_by(second), name);
    Client third = connect(client);
    EXPECT_EQ(served_by(third), name);
    Client fourth = connect(client);
    std::string rest;
    fourth.read_to_end(rest);
    EXPECT_EQ(rest, "") << name;
  }
}

// Servers that nobody would find down for hours.
TEST_F(Canary, ProbesServersOnBothSides) {
  const Address unwell = loopback(free_port());
  const auto probed = [&](const std::string& name) {
    Settings settings = with(name, waits, origin.address());
    const std::string plain = "{ address: \"" + origin.address().text() + "\" } ] }";
    const std::size_t at = settings.topology.find(plain);
    settings.topology.replace(at, plain.size(),
                              "{ address: \"" + origin.address().text() + "\" }, { address: \"" + unwell.text() +
                                  "\" } ], health: { active: { path: /bytes/1, every: 100ms, down: 1 } } }");
    return settings;
  };
  baton = std::make_unique<Baton>(probed("old"));
  configure(probed("new"));
  const std::regex is_up("server " + unwell.text() + " is up");
  baton->await_log(std::regex("server " + unwell.text() + " is down"));
  auto all = clients(20);
  begin();
  (void)who_serves(all);
  Origin recovers(unwell);
  await([&] { return baton->count_log_lines(is_up) == 2; }, "both processes to find it well\n" + baton->log());
}

// A new listener is the canary's alone, and its connections come back as well.
TEST_F(Canary, AcceptsOnTheListenerThatOnlyItHas) {
  start(waits);
  auto all = clients(5);
  const Address more = loopback(free_port());
  more_listeners = "  - { name: more, bind: \"" + more.text() + "\" }\n";
  configure(with("new", waits, origin.address()));
  begin();
  Client client(more);
  EXPECT_EQ(served_by(client), "new");
  EXPECT_EQ(ctl({"rollback"}).code, 0);
  expect_that_the_old_one_serves_all(all, "cancelled by command");
  EXPECT_EQ(client.get("/bytes/4").body, pattern(4));
}

class CanaryThat : public Canary, public testing::WithParamInterface<int> {
 protected:
  void dies_or_hangs(bool supervised) {
    if (supervised) arguments = {"--supervise"};
    Settings impatient = with("old", waits, origin.address());
    impatient.handoff =
        "ready_timeout: 15s, step_timeout: 3s, finish_timeout: 100ms, drain_timeout: 0s, canary: " + waits;
    baton = std::make_unique<Baton>(impatient);
    impatient.topology = with("new", waits, origin.address()).topology;
    configure(impatient);
    if (supervised) worker_at_rest(*baton);
    auto all = clients(20);
    const pid_t canary = begin();
    const auto served = who_serves(all);
    const int client = one_of(served, "new");
    Client held = connect(client);
    held.send(get_request("/held"));
    origin.gate().await_arrivals(1);
    ::kill(canary, GetParam());
    const std::string line = baton->await_log(log_lines::upgrade_failed);
    EXPECT_NE(line.find("rolled back"), std::string::npos) << line;
    origin.gate().open();
    int lost = 0;
    for (const auto& [one, name] : served) {
      Client& it = all[static_cast<std::size_t>(one)];
      if (name == "old") {
        EXPECT_EQ(served_by(it), "old") << baton->log();
      } else if (supervised) {
        lost += lost_instead_of([&] { EXPECT_EQ(served_by(it), "old") << baton->log(); });
      } else {
        std::string rest;
        (void)it.read_to_end(rest);
        EXPECT_EQ(rest, "");
      }
    }
    if (supervised) lost += lost_instead_of([&] { EXPECT_EQ(held.response().body, "held"); });
    EXPECT_LE(lost, threads) << baton->log();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(of_new_connection(i), "old");
    EXPECT_EQ(baton->status().at("last_upgrade").at("canary").at("decided_by"), "failure");
  }
};

TEST_P(CanaryThat, DiesOrHangsCostsWhatItHadAdoptedAndNothingElse) {
  dies_or_hangs(false);
}
TEST_P(CanaryThat, DiesOrHangsCostsNothingWithAKeeper) {
  dies_or_hangs(true);
}
INSTANTIATE_TEST_SUITE_P(By, CanaryThat, testing::Values(SIGKILL, SIGSTOP),
                         [](const auto& row) { return row.param == SIGKILL ? "Death" : "Silence"; });

// The canary is the instance then, and serves all.
TEST_F(Canary, WhosePredecessorDiesGoesOnAlone) {
  start(waits);
  auto all = clients(20);
  begin();
  const auto served = who_serves(all);
  ::kill(baton->pid(), SIGKILL);
  baton->await_log(std::regex("this process is the instance now, generation 2"));
  baton->follow_pid_file();
  for (const auto& [one, name] : served) {
    if (name == "new") {
      EXPECT_EQ(served_by(all[static_cast<std::size_t>(one)]), "new");
    }
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(of_new_connection(i), "new");
  const boost::json::value canary = baton->status().at("last_upgrade").at("canary");
  EXPECT_EQ(canary.at("decided_by"), "failure") << "it serves, unproven";
  const Outcome next = ctl({"upgrade", "--canary", "off"});
  EXPECT_EQ(next.code, 0) << next.out << next.err;
}

TEST_F(Canary, WhosePredecessorDiesHasAllThatItsKeeperKept) {
  arguments = {"--supervise"};
  start(waits);
  const pid_t before = worker_at_rest(*baton);
  auto all = clients(20);
  begin();
  (void)who_serves(all);
  ::kill(before, SIGKILL);
  baton->await_log(std::regex("serving: .* generation 2"));
  int lost = 0;
  for (Client& one : all) lost += lost_instead_of([&] { EXPECT_EQ(served_by(one), "new") << baton->log(); });
  EXPECT_LE(lost, threads) << baton->log();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(of_new_connection(i), "new");
}

TEST_F(Canary, OfAConfigurationIsTheSameProgram) {
  start("");
  auto all = clients(40);
  make_it_bad("");
  replace_file(baton->binary_path(), "this cannot be started");
  Process reload({{baton_binary(), "ctl", "reload", "--canary", "50%", "--bake", "10m", "--max", "20m", "--admin",
                   "unix:" + (baton->directory() / "admin.sock")}});
  baton->await_log(has_begun);
  await(
      [&] {
        for (Client& one : all) one.get("/bytes/1");
        return baton->count_log_lines(std::regex("the canary is called back")) == 1;
      },
      "it to be called back\n" + baton->log());
  EXPECT_EQ(reload.await_exit(), (Ended{1, 0}));
  expect_that_the_old_one_serves_all(all, "the canary was called back");
  configure(with("new", "", origin.address()));
  const Outcome good = ctl({"reload", "--canary", "50%", "--bake", "1s", "--max", "2s"});
  EXPECT_EQ(good.code, 1) << "nobody has come, so it is in doubt to the end" << good.out << good.err;
  EXPECT_NE(good.out.find("doubt"), std::string::npos) << good.out;
  Process again({{baton_binary(), "ctl", "reload", "--canary", "50%", "--bake", "10m", "--max", "20m", "--admin",
                  "unix:" + (baton->directory() / "admin.sock")}});
  again.await_line(Process::Stream::out, std::regex("^canary 50%"));
  EXPECT_EQ(ctl({"promote"}).code, 0);
  EXPECT_EQ(again.await_exit(), (Ended{0, 0}));
  for (Client& one : all) EXPECT_EQ(served_by(one), "new");
}

}  // namespace
}  // namespace baton::harness
