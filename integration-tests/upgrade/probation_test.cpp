// With handoff.probation the successor first serves new connections. If it does that badly, or an operator cancels,
// everything it has accepted comes back, at any byte; if it does well, all others follow.
#include <gtest/gtest.h>
#include <signal.h>

#include <list>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"

namespace baton::harness {
namespace {

const std::regex on_probation{R"(upgrade: the successor is on probation)"};

class Probation : public testing::Test {
 protected:
  // Two listeners, each with its own upstream. The accepted length of a request line tells the processes apart: 4 KiB
  // in the predecessor, 1 KiB in the successor.
  Settings with(const std::string& probation, const std::string& uri_bytes, const Address& server) const {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() + "\", protocol: tcp, upstream: web }\n" +
                        "  - { name: other, bind: \"" + other.text() + "\" }\n" + more_listeners +
                        "routes: [ { upstream: other } ]\nupstreams:\n  - { name: web, servers: [ { address: \"" + server.text() +
                        "\" } ] }\n  - { name: other, servers: [ { address: \"" + origin.address().text() + "\" } ] }\n";
    settings.limits = "uri_bytes: " + uri_bytes;
    settings.handoff += ", finish_timeout: 100ms, probation: " + probation;
    settings.own_binary = true;
    return settings;
  }
  Settings before(const std::string& probation) const { return with(probation, "4k", origin.address()); }
  void configure(const Settings& settings) { replace_file(baton->config_path(), to_yaml(settings, baton->directory())); }

  void start(const std::string& probation) {
    baton = std::make_unique<Baton>(before(probation));
    configure(with(probation, "1k", origin.address()));
  }
  void begin() {
    baton->begin_upgrade();
    baton->await_log(on_probation);
  }
  // 200 from the predecessor, 414 from the successor, which closes the connection.
  static Response long_request(Client& client) { return client.get("/bytes/1?" + std::string(2000, 'x')); }
  Outcome ctl(std::vector<std::string> words) const {
    words.insert(words.begin(), "ctl");
    words.insert(words.end(), {"--admin", "unix:" + (baton->directory() / "admin.sock")});
    return run_baton(std::move(words));
  }
  void expect_still_the_predecessor(const std::string& why) {
    const std::string line = baton->await_log(log_lines::upgrade_failed);
    EXPECT_NE(line.find(why), std::string::npos) << line;
    EXPECT_EQ(baton->number("generation"), 1);
    EXPECT_EQ(baton->pid_in_file(), baton->pid());
    Client client(other);
    EXPECT_EQ(long_request(client).status(), 200);
  }
  // What came back has ids that the next successor assigns as well: all of them move, again and again.
  void expect_that_the_next_upgrades_work(std::size_t connections) {
    configure(before("0s"));
    baton->signal(SIGHUP);
    baton->await_log(log_lines::reload_done);
    for (int i = 0; i < 2; ++i) {
      const std::string report = baton->upgrade();
      EXPECT_NE(report.find("moved=" + std::to_string(connections) + " "), std::string::npos) << report;
      EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
    }
  }

  Origin origin;
  Address web = loopback(free_port());
  Address other = loopback(free_port());
  std::string more_listeners;
  std::unique_ptr<Baton> baton;
};

TEST_F(Probation, ThatGoesWellIsServedByTheSuccessorAndThenTheLiveOnesFollow) {
  start("5s");  // everything below happens meanwhile
  Client old(other);
  old.get("/bytes/1");
  Client download(other);
  download.send(get_request("/half/50000"));
  origin.gate().await_arrivals(1);
  begin();
  Client fresh(other);
  EXPECT_EQ(long_request(fresh).status(), 414) << "new connections are the successor's";
  EXPECT_EQ(long_request(old).status(), 200) << "and live ones the predecessor's";
  EXPECT_EQ(baton->number("generation"), 1) << "which is the instance";
  EXPECT_EQ(ctl({"upgrade"}).code, 1) << "one at a time";
  const std::string report = baton->finish_upgrade();
  EXPECT_NE(report.find("moved=2 "), std::string::npos) << report;
  Client after(other);
  after.get("/bytes/1");
  EXPECT_EQ(long_request(old).status(), 414) << "now the successor has it";
  origin.gate().open();
  EXPECT_EQ(download.response().body, pattern(50000));
}

TEST_F(Probation, ThatFailsGivesBackWhatTheSuccessorAcceptedAtWhateverByte) {
  start("30s");
  // In the successor, raw connections reach no server; the other listener is fine.
  Address nobody = loopback(free_port());
  configure(with("30s", "1k", nobody));
  Client old(other);
  old.get("/bytes/1");
  begin();
  Client idle(other), websocket(other), upload(other), download(other), head(other);
  EXPECT_EQ(idle.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(websocket.get("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n").status(), 101);
  websocket.send("before");
  EXPECT_EQ(websocket.read_exactly(6), "before");
  const std::string uploaded = post_request("/count", pattern(300'000));
  upload.send(uploaded.substr(0, 100'000));
  download.send(get_request("/half/50000"));
  origin.gate().await_arrivals(1);
  head.send("GET /bytes/30 HT");

  std::list<Client> unlucky;
  for (int i = 0; i < 20; ++i) unlucky.emplace_back(web);
  expect_still_the_predecessor("exchanges failed");

  EXPECT_EQ(long_request(idle).status(), 200) << "the predecessor has it now";
  websocket.send("after");
  EXPECT_EQ(websocket.read_exactly(5), "after");
  upload.send(uploaded.substr(100'000));
  EXPECT_EQ(upload.response().body, "300000 as sent");
  origin.gate().open();
  EXPECT_EQ(download.response().body, pattern(50000));
  head.send("TP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(head.response().body, pattern(30));
  EXPECT_EQ(old.get("/bytes/5").body, pattern(5));
  unlucky.clear();
  baton->await_number("connections.total", 6);
  expect_that_the_next_upgrades_work(6);
  EXPECT_EQ(idle.get("/bytes/5").body, pattern(5));
  websocket.send("ever after");
  EXPECT_EQ(websocket.read_exactly(10), "ever after");
}

TEST_F(Probation, IsEndedByARollback) {
  start("30s");
  for (int i = 0; i < 3; ++i) {
    Client earlier(other);
    EXPECT_EQ(earlier.get("/bytes/5").body, pattern(5));
  }
  Process upgrade({{baton_binary(), "ctl", "upgrade", "--admin", "unix:" + (baton->directory() / "admin.sock")}});
  upgrade.await_line(Process::Stream::out, std::regex("^on probation for .* s more: "));
  Client kept(other);
  EXPECT_EQ(kept.get("/bytes/5").body, pattern(5));
  const Outcome outcome = ctl({"rollback"});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(upgrade.await_exit(), (Ended{1, 0})) << "that upgrade did not come to be";
  // What the successor counted is not lost, and what it began with counts once.
  EXPECT_EQ(baton->number("requests_total"), 4);
  const std::string servers = ctl({"servers", "--json"}).out;
  EXPECT_NE(servers.find("\"requests_total\":4"), std::string::npos) << servers;
  const std::string routes = ctl({"routes", "--json"}).out;
  EXPECT_NE(routes.find("\"requests_total\":4"), std::string::npos) << routes;
  expect_still_the_predecessor("cancelled by command");
  EXPECT_EQ(long_request(kept).status(), 200);
  expect_that_the_next_upgrades_work(1);
}

TEST_F(Probation, IsEndedByATermAndWhatTheSuccessorServesIsFinishedByThePredecessor) {
  start("30s");
  begin();
  Client client(other);
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton->signal(SIGTERM);
  baton->await_log(std::regex("stopping \\(SIGTERM\\): 1 connections"));
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(baton->await_exit(), (Ended{0, 0}));
}

class ProbationOf : public Probation, public testing::WithParamInterface<int> {};

// If it is killed, what it had accepted is lost with it; if stopped, it is silent for step_timeout and then killed.
TEST_P(ProbationOf, ASuccessorThatDiesOrHangsCostsWhatItAcceptedAndNothingElse) {
  Settings impatient = before("30s");
  impatient.handoff = "step_timeout: 3s, finish_timeout: 100ms, probation: 30s";
  baton = std::make_unique<Baton>(impatient);
  Client old(other);
  old.get("/bytes/1");
  baton->begin_upgrade();
  const std::string started = baton->await_log(std::regex("started .* as PID [0-9]+"));
  baton->await_log(on_probation);
  Client fresh(other);
  EXPECT_EQ(fresh.get("/bytes/5").body, pattern(5));
  ::kill(static_cast<pid_t>(std::stol(started.substr(started.rfind(' ')))), GetParam());
  expect_still_the_predecessor(GetParam() == SIGKILL ? "killed by signal 9" : "no answer in time");
  EXPECT_EQ(old.get("/bytes/5").body, pattern(5));
  std::string rest;
  fresh.read_to_end(rest);
  EXPECT_EQ(rest, "");
  expect_that_the_next_upgrades_work(1);
}

INSTANTIATE_TEST_SUITE_P(By, ProbationOf, testing::Values(SIGKILL, SIGSTOP),
                         [](const auto& row) { return row.param == SIGKILL ? "Death" : "Silence"; });

// A listener that the successor lacks is served as long as live connections stay.
TEST_F(Probation, KeepsServingAListenerThatIsGone) {
  const Address gone = loopback(free_port());
  more_listeners = "  - { name: gone, bind: \"" + gone.text() + "\" }\n";
  baton = std::make_unique<Baton>(before("5s"));
  more_listeners = "";
  configure(with("5s", "1k", origin.address()));
  begin();
  Client client(gone);
  EXPECT_EQ(long_request(client).status(), 200);
  baton->finish_upgrade();
  EXPECT_EQ(client.get("/bytes/5").field("Connection"), "close");
}

}  // namespace
}  // namespace baton::harness
