// `baton ctl` against a running Baton: each command, its effect, output and exit code.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"

namespace baton::harness {
namespace {

using CtlCommands = Ctl;

TEST_F(CtlCommands, StatusIsATableForPeopleAndTheJsonAsItIsForPrograms) {
  Client client = baton.connect();
  client.get("/bytes/1");
  const Outcome table = ctl({"status"});
  expect_done(table, "state          serving\n");
  EXPECT_TRUE(contains(table.out, "PID            " + std::to_string(baton.pid()) + "\n")) << table.out;
  EXPECT_TRUE(contains(table.out, "connections    1 (idle 1,")) << table.out;
  EXPECT_TRUE(contains(table.out, "last upgrade   none\n")) << table.out;
  const Outcome programs = ctl({"status", "--json"});
  EXPECT_EQ(programs.code, 0);
  EXPECT_EQ(boost::json::parse(programs.out).as_object(), baton.status());
}

TEST_F(CtlCommands, TheOptionsMayStandBeforeTheCommandToo) {
  const Outcome outcome = run_baton({"ctl", "--json", "--admin", admin().text(), "status"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(boost::json::parse(outcome.out).at("pid").to_number<pid_t>(), baton.pid());
}

TEST_F(CtlCommands, HealthcheckIsHealthyWhileTheProcessLivesAlsoWhenItDrains) {
  expect_done(ctl({"healthcheck"}), "ok");
  ctl({"drain"});
  expect_done(ctl({"healthcheck"}), "ok");
  baton.signal(SIGKILL);
  baton.await_exit();
  expect_failure(ctl({"healthcheck"}), "is Baton running?");
}

TEST_F(CtlCommands, ReloadTakesTheNewConfiguration) {
  replace_file(baton.config_path(), read_file(baton.config_path()) + "limits: { requests_per_connection: 1 }\n");
  expect_done(ctl({"reload"}), "done, 1 listeners, 1 upstreams");
  EXPECT_EQ(baton.connect().get("/bytes/1").field("Connection"), "close");
}

TEST_F(CtlCommands, ReloadOfABadFileSaysWhereItIsWrongAndChangesNothing) {
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "no_such_key: 1\nworkers: some\n");
  const auto lines = static_cast<std::size_t>(std::count(good.begin(), good.end(), '\n'));
  const std::string place = baton.config_path() + ":" + std::to_string(lines + 1) + ":1: ";
  expect_failure(ctl({"reload"}), place);
  expect_failure(ctl({"reload"}), baton.config_path() + ":" + std::to_string(lines + 2) + ":");
  const Outcome programs = ctl({"reload", "--json"});
  EXPECT_EQ(programs.code, 1);
  const boost::json::object answer = boost::json::parse(programs.out).as_object();
  EXPECT_EQ(answer.at("result").as_string(), "failed");
  EXPECT_TRUE(contains(std::string(answer.at("text").as_string()), place)) << programs.out;
  EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
  EXPECT_TRUE(contains(Client(admin()).get("/metrics").body, "baton_last_reload_success 0\n"));
  replace_file(baton.config_path(), good);
  expect_done(ctl({"reload", "--json"}), "\"result\":\"ok\"");
  EXPECT_TRUE(contains(Client(admin()).get("/metrics").body, "baton_last_reload_success 1\n"));
}

TEST_F(CtlCommands, ReloadOfAnAdminAddressThatCannotChangeSaysSo) {
  std::string yaml = read_file(baton.config_path());
  replace_file(baton.config_path(), yaml + "# nothing but this\n");
  const std::string elsewhere = baton.directory() / "elsewhere.sock";
  yaml.replace(yaml.find(admin().unix_path), admin().unix_path.size(), elsewhere);
  replace_file(baton.config_path(), yaml);
  expect_failure(ctl({"reload"}), elsewhere);  // nobody listens there, and the message says so
  expect_failure(ctl({"reload", "--admin", admin().text()}), "cannot change admin.bind");
}

TEST_F(CtlCommands, DrainSendsLoadBalancersAwayAndServesOnUntilItIsUndone) {
  expect_done(ctl({"drain"}), "draining");
  EXPECT_EQ(baton.readyz(), 503);
  EXPECT_EQ(baton.status().at("state").as_string(), "draining");
  EXPECT_TRUE(contains(Client(admin()).get("/metrics").body, "baton_ready 0\n"));
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3)) << "new connections too";
  expect_done(ctl({"drain"}), "draining");
  expect_done(ctl({"drain", "--undo"}), "serving");
  EXPECT_EQ(baton.readyz(), 200);
  EXPECT_EQ(baton.status().at("state").as_string(), "serving");
  expect_done(ctl({"drain", "--undo"}), "serving");
}

TEST_F(CtlCommands, DrainAndItsUndoingOutliveUpgrades) {
  ctl({"drain"});
  baton.upgrade();
  EXPECT_EQ(baton.readyz(), 503);
  baton.upgrade();
  EXPECT_EQ(baton.readyz(), 503);
  ctl({"drain", "--undo"});
  EXPECT_EQ(baton.readyz(), 200);
  baton.upgrade();
  EXPECT_EQ(baton.readyz(), 200);
}

TEST_F(CtlCommands, DrainInTheMiddleOfAnUpgradeIsTheSuccessorsToo) {
  Client client = baton.connect();
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  baton.await_log(std::regex("\\[g2 [0-9]+\\] listening on"));  // the inherited sockets have listened for long
  expect_done(ctl({"drain"}), "draining");
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(baton.readyz(), 503);
}

TEST_F(CtlCommands, DrainIsTheSuccessorsAlsoIfThePredecessorDiesInTheMiddle) {
  Client client = baton.connect();
  ctl({"drain"});
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  baton.await_log(std::regex("\\[g2 [0-9]+\\] listening on"));
  baton.signal(SIGKILL);
  baton.await_log(std::regex("this process is the instance now"));
  baton.follow_pid_file();
  EXPECT_EQ(baton.number("generation"), 2);
  EXPECT_EQ(baton.readyz(), 503);
  EXPECT_EQ(baton.status().at("state").as_string(), "draining");
  origin.gate().open();
}

TEST_F(CtlCommands, OnAConnectionToAProcessThatHasResignedAreRefused) {
  Client admin_before(admin());
  admin_before.get("/healthz");
  Client stays = baton.connect();
  stays.get("/bytes/1");
  replace_file(baton.directory() / "behaviour", "- refuse-all");
  replace_file(baton.binary_path(), read_file(HOSTILE_SUCCESSOR), true);
  EXPECT_EQ(ctl({"upgrade"}).code, 0) << baton.log();
  baton.await_log(std::regex("1 connections could not be moved"));
  const Response refused = admin_before.post("/drain", "");
  EXPECT_EQ(refused.status(), 409);
  EXPECT_TRUE(contains(refused.body, "another process is the instance now")) << refused.body;
  EXPECT_EQ(refused.field("Connection"), "close");
}

TEST_F(CtlCommands, StopServesWhatIsInFlightAndIsAnsweredBeforeTheEnd) {
  Client client = baton.connect();
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  expect_done(ctl({"stop"}), "stopping: 1 connections are served to their end, at most 30 s");
  EXPECT_EQ(baton.status().at("state").as_string(), "stopping");
  EXPECT_EQ(baton.readyz(), 503);
  expect_done(ctl({"stop"}), "stopping already");
  expect_failure(ctl({"upgrade"}), "this process is stopping");
  expect_failure(ctl({"reload"}), "this process is stopping");
  expect_failure(ctl({"drain"}), "this process is stopping");
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  EXPECT_FALSE(std::filesystem::exists(admin().unix_path));
}

TEST_F(CtlCommands, StopOfAnIdleProcessIsAnsweredBeforeTheEnd) {
  expect_done(ctl({"stop"}), "stopping: 0 connections");
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
  expect_failure(ctl({"stop"}), "is Baton running?");
}

class CtlWithAnAccessLog : public Ctl {
 protected:
  CtlWithAnAccessLog() : Ctl([](Settings& settings) { settings.log = "access: { path: /dev/null }"; }) {}
};

TEST_F(CtlWithAnAccessLog, ReopenLogsWritesIntoTheNewFile) {
  const std::string path = baton.directory() / "access.log";
  std::string yaml = read_file(baton.config_path());
  yaml.replace(yaml.find("/dev/null"), 9, path);
  replace_file(baton.config_path(), yaml);
  expect_done(ctl({"reload"}), "done");
  baton.connect().get("/bytes/1");
  await([&] { return contains(read_file(path), "/bytes/1"); }, "the first line");
  std::filesystem::rename(path, path + ".1");
  expect_done(ctl({"reopen-logs"}), "log files reopened");
  baton.connect().get("/bytes/2");
  await([&] { return contains(read_file(path), "/bytes/2"); }, "the line in the new file");
  EXPECT_FALSE(contains(read_file(path + ".1"), "/bytes/2"));
}

TEST_F(CtlCommands, MetricsCountOverGenerations) {
  const auto metrics = [this] { return Client(admin()).get("/metrics"); };
  EXPECT_EQ(metrics().field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  Client client = baton.connect();
  client.get("/bytes/1");
  EXPECT_TRUE(contains(metrics().body, R"(baton_connections_accepted_total{listener="web"} 1)")) << metrics().body;
  baton.upgrade();
  client.get("/bytes/1");
  const std::string after = metrics().body;
  for (const auto* line : {R"(baton_connections_accepted_total{listener="web"} 1)", R"(code="2xx"} 2)", "baton_generation 2\n",
                           "baton_connections{state=\"idle\"} 1\n", "baton_last_upgrade_success 1\n",
                           "baton_last_upgrade_moved_connections{state=\"idle\"} 1\n"})
    EXPECT_TRUE(contains(after, line)) << line << after;
}

// ── Who may not ────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(CtlCommands, WrongUsageIsExitCode2) {
  const std::vector<std::vector<std::string>> wrong{{"ctl"},
                                                    {"ctl", "frobnicate"},
                                                    {"ctl", "status", "--undo"},
                                                    {"ctl", "drain", "--binary", "/b"},
                                                    {"ctl", "status", "more"},
                                                    {"ctl", "status", "--admin"},
                                                    {"ctl", "status", "--admin", "nowhere"},
                                                    {"ctl", "status", "--admin", "unix:relative"},
                                                    {"ctl", "status", "--loud"}};
  for (const auto& words : wrong) {
    const Outcome outcome = run_baton(words);
    EXPECT_EQ(outcome.code, 2) << words.back();
    EXPECT_NE(outcome.err, "") << words.back();
  }
  EXPECT_EQ(run_baton({"ctl", "--help"}).code, 0);
}

TEST_F(CtlCommands, AnotherUserIsToldThatItMayNot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  std::filesystem::permissions(baton.directory().path(), std::filesystem::perms::all);
  for (const auto* word : {"status", "stop", "healthcheck"}) {
    const Outcome outcome =
        run(as_nobody({{baton_binary_for_everyone(), "ctl", word, "--admin", admin().text()}}));
    expect_failure(outcome, "Permission denied; only the user that Baton runs as may connect");
  }
  EXPECT_EQ(baton.readyz(), 200);
}

TEST_F(CtlCommands, NobodyThereIsSaidWithTheAddress) {
  const std::string path = baton.directory() / "nobody.sock";
  for (const auto* word : {"status", "upgrade", "reload", "drain", "stop", "reopen-logs", "rollback", "healthcheck"}) {
    const Outcome outcome = run_baton({"ctl", word, "--admin", "unix:" + path});
    expect_failure(outcome, "unix:" + path + ": No such file or directory");
    EXPECT_FALSE(contains(outcome.err, "is unknown")) << "nothing was asked: " << outcome.err;
  }
  {
    Address stale = unix_socket(path);
    listen_on(stale);
  }
  expect_failure(run_baton({"ctl", "status", "--admin", "unix:" + path}), "Connection refused");
  expect_failure(run_baton({"ctl", "status", "--admin", loopback(free_port()).text()}), "Connection refused");
  expect_failure(run_baton({"ctl", "status", "-c", "/no/such/file"}), "/no/such/file: cannot be read");
  const Outcome programs = run_baton({"ctl", "status", "--json", "--admin", "unix:" + path});
  EXPECT_EQ(programs.code, 1);
  EXPECT_EQ(boost::json::parse(programs.out).at("result").as_string(), "failed");
}

TEST(CtlOverTcp, MayReadAndNotCommand) {
  Origin origin;
  Settings settings(origin.address());
  settings.workers = 1;
  TempDir directory;
  const Address admin = loopback(free_port());
  std::string yaml = to_yaml(settings, directory);
  yaml.replace(yaml.find("bind: []"), 8, "bind: \"" + loopback(free_port()).text() + "\"");
  const std::string unix_bind = "unix:" + directory / "admin.sock";
  yaml.replace(yaml.find(unix_bind), unix_bind.size(), admin.text());
  replace_file(directory / "baton.yaml", yaml);
  Process process({{baton_binary(), "run", "-c", directory / "baton.yaml"}});
  await([&] { return is_listening(admin); }, "the admin interface");
  const auto ctl = [&](const std::string& word) { return run_baton({"ctl", word, "-c", directory / "baton.yaml"}); };
  EXPECT_EQ(ctl("status").code, 0);
  EXPECT_EQ(ctl("healthcheck").code, 0);
  for (const auto* word : {"upgrade", "reload", "drain", "stop", "reopen-logs", "rollback"}) {
    const Outcome outcome = ctl(word);
    EXPECT_EQ(outcome.code, 1) << word;
    EXPECT_TRUE(contains(outcome.err, "only on a Unix socket")) << outcome.err;
  }
  EXPECT_EQ(Client(admin).get("/readyz").status(), 200);
  process.signal(SIGTERM);
  EXPECT_EQ(process.await_exit(), (Ended{0, 0}));
}

}  // namespace
}  // namespace baton::harness
