// `baton ctl apply`: a configuration that a client gives takes the place of the file's, and stays in force until
// a reload reads the file.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"
#include "takeover/taker.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

// The route /which says which configuration is in force.
class CtlApply : public Ctl {
 protected:
  CtlApply()
      : Ctl([](Settings& settings) {
          settings.more =
              "routes:\n"
              "  - { match: { path: /which }, respond: { status: 200, body: file } }\n"
              "  - { upstream: web }\n";
        }) {}

  std::string with(const std::string& what, const std::string& by) const {
    std::string yaml = good;
    yaml.replace(yaml.find(what), what.size(), by);
    return yaml;
  }
  std::string saying(const std::string& which) const { return with("body: file", "body: " + which); }
  std::string written(const std::string& yaml) const {
    replace_file(baton.directory() / "applied.yaml", yaml);
    return baton.directory() / "applied.yaml";
  }
  Outcome apply(const std::string& yaml, std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"apply", written(yaml)});
    return ctl(std::move(options));
  }
  void expect_applied(const std::string& which) const { expect_done(apply(saying(which)), "done, "); }
  std::string which() const { return baton.connect().get("/which").body; }
  std::string from() const {
    return std::string(baton.status().at("configuration").as_object().at("from").as_string());
  }
  std::int64_t at_ms() const { return baton.number("configuration.at_ms"); }
  Response put(const std::string& query, const std::string& body) const {
    Client client(admin());
    client.send("PUT /config" + query + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body);
    return client.response();
  }
  void upgrade() {
    EXPECT_EQ(ctl({"upgrade"}).code, 0) << baton.log();
    baton.finish_upgrade();
  }
  void roll_back() {
    const Outcome outcome = ctl({"rollback"});
    EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err << baton.log();
    baton.finish_upgrade();
  }
  void reload() {
    baton.signal(SIGHUP);
    baton.await_log(log_lines::reload_done);
  }

  const std::string good = read_file(baton.config_path());
};

TEST_F(CtlApply, ChangesTheRoutesAndDropsNoConnection) {
  Client idle = baton.connect();
  idle.get("/bytes/1");
  Client half = baton.connect();
  half.send("GET /bytes/3 HTTP/1.1\r\nHo");
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  EXPECT_EQ(which(), "file");
  EXPECT_EQ(from(), "file");
  const std::int64_t read_at = at_ms();
  EXPECT_GT(read_at, 1'700'000'000'000);

  expect_done(apply(saying("api")), "done, 1 listeners, 1 upstreams\nchanged route `/which`: respond.body\n");
  EXPECT_EQ(which(), "api");
  EXPECT_EQ(from(), "api");
  EXPECT_GE(at_ms(), read_at);
  EXPECT_TRUE(contains(ctl({"status"}).out, "\nconfiguration  applied over this interface at 20"));
  EXPECT_EQ(idle.get("/which").body, "api");
  half.send("st: a\r\n\r\n");
  EXPECT_EQ(half.response().body, pattern(3));
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton.number("generation"), 1);
  EXPECT_EQ(read_file(baton.config_path()), good) << "Baton writes no file";
}

TEST_F(CtlApply, TakesStandardInput) {
  const std::string command =
      "exec " + baton_in_shell() + " ctl apply - --admin '" + admin().text() + "' <'" + written(saying("piped")) + "'";
  expect_done(run({{"/bin/sh", "-c", command}}), "done, ");
  EXPECT_EQ(which(), "piped");
  expect_failure(ctl({"apply", baton.directory() / "none.yaml"}), "none.yaml: cannot be read: No such file");
}

TEST_F(CtlApply, StaysInForceThroughUpgradesUntilAReload) {
  expect_applied("api");
  const std::int64_t applied_at = at_ms();
  Client client = baton.connect();
  client.get("/bytes/1");
  for (const int generation : {2, 3}) {
    upgrade();
    EXPECT_EQ(baton.number("generation"), generation);
    EXPECT_EQ(which(), "api");
    EXPECT_EQ(from(), "api");
    EXPECT_EQ(at_ms(), applied_at);
    EXPECT_EQ(client.get("/which").body, "api");
  }
  // A bad file is no way back.
  replace_file(baton.config_path(), "no configuration\n");
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_failed);
  EXPECT_EQ(which(), "api");
  EXPECT_EQ(from(), "api");

  replace_file(baton.config_path(), saying("edited"));
  reload();
  EXPECT_EQ(which(), "edited");
  EXPECT_EQ(from(), "file");
  EXPECT_EQ(baton.count_log_lines(std::regex("the configuration is the file's again")), 1u);
  replace_file(baton.config_path(), saying("later"));
  upgrade();
  EXPECT_EQ(which(), "later") << "an upgrade reads the file again";
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
}

TEST_F(CtlApply, StaysInForceIfAnUpgradeFails) {
  expect_applied("api");
  replace_file(baton.binary_path(), read_file("/bin/false"), true);
  baton.failed_upgrade();
  EXPECT_EQ(which(), "api");
  EXPECT_EQ(from(), "api");
}

TEST_F(CtlApply, IsLeftByAnUpgradeFromTheFile) {
  expect_applied("api");
  // What no reload can change.
  replace_file(baton.config_path(), with("workers: 2", "workers: 3"));
  expect_failure(ctl({"reload"}), "a reload cannot change workers; an upgrade (SIGUSR2) can");
  EXPECT_EQ(ctl({"upgrade", "--from-file"}).code, 0) << baton.log();
  baton.finish_upgrade();
  EXPECT_EQ(which(), "file");
  EXPECT_EQ(from(), "file");
  EXPECT_EQ(baton.count_log_lines(std::regex("warn .*configuration was applied to its admin interface")), 1u);
}

TEST_F(CtlApply, StaysInForceAfterARollback) {
  upgrade();
  expect_applied("api");
  const std::int64_t applied_at = at_ms();
  Client client = baton.connect();
  client.get("/bytes/1");
  roll_back();
  EXPECT_EQ(which(), "api") << "and not what the previous process had";
  EXPECT_EQ(from(), "api");
  EXPECT_EQ(at_ms(), applied_at);
  EXPECT_EQ(client.get("/which").body, "api");
  roll_back();
  EXPECT_EQ(which(), "api");
  upgrade();
  EXPECT_EQ(which(), "api");
}

TEST_F(CtlApply, IsWhatARollbackReturnsToIfItRanBefore) {
  expect_applied("api");
  const std::int64_t applied_at = at_ms();
  upgrade();
  reload();
  EXPECT_EQ(which(), "file");
  roll_back();
  EXPECT_EQ(which(), "api");
  EXPECT_EQ(from(), "api");
  EXPECT_EQ(at_ms(), applied_at);
  EXPECT_EQ(baton.count_log_lines(std::regex("rollback: the configuration becomes the one that was applied")), 1u);
  upgrade();
  EXPECT_EQ(which(), "api");
}

TEST_F(CtlApply, IsReplacedByTheFileOfAProcessThatTakesOverAndSaysSo) {
  expect_applied("api");
  Client client = baton.connect();
  client.get("/bytes/1");
  Taker taker(baton);
  taker.await_succession(baton);
  EXPECT_EQ(client.get("/which").body, "file");
  EXPECT_EQ(from(), "file");
  EXPECT_TRUE(contains(taker.err(), "the running instance's configuration was applied to its admin interface"));
}

TEST_F(CtlApply, RefusesABadOneWithItsPlacesAndKeepsTheOneInForce) {
  expect_applied("api");
  const std::string bad = saying("bad") + "no_such_key: 1\n";
  const std::string line = std::to_string(std::count(good.begin(), good.end(), '\n') + 1);
  const Outcome outcome = apply(bad);
  expect_failure(outcome, baton.directory() / "applied.yaml" + ":" + line + ":1: unknown key `no_such_key`");
  for (const char* query : {"", "?dry_run"}) {
    const Response response = put(query, bad);
    EXPECT_EQ(response.status(), 422);
    EXPECT_EQ(response.body.find(line + ":1: unknown key `no_such_key`"), 0u) << response.body;
  }
  const Outcome programs = apply(bad, {"--json"});
  EXPECT_EQ(programs.code, 1);
  const json::object answer = json::parse(programs.out).as_object();
  EXPECT_EQ(answer.at("result").as_string(), "failed");
  EXPECT_TRUE(answer.at("text").as_string().starts_with(line + ":1: unknown key"));
  EXPECT_TRUE(contains(baton.log(), "apply: failed, the configuration stays as it was: " + line + ":1: unknown key"))
      << baton.log();

  const std::string unchangeable =
      "a reload cannot change workers; an upgrade (SIGUSR2) can change workers and addresses of admin.bind, only stop "
      "and start the paths";
  expect_failure(apply(with("workers: 2", "workers: 3")), unchangeable);
  expect_failure(apply(with(baton.address().text(), origin.address().text())), origin.address().text());
  expect_failure(apply(good + "error_pages: { 404: /no/such/page }\n"), "/no/such/page");
  expect_failure(apply(""), "is empty");
  EXPECT_EQ(which(), "api");
  EXPECT_TRUE(contains(Client(admin()).get("/metrics").body, "baton_last_reload_success 1\n"))
      << "that is about the file";
}

TEST_F(CtlApply, OnlySaysOnTrialWhatItWouldDo) {
  const Address elsewhere = loopback(free_port());
  const std::string log = baton.directory() / "access.log";
  std::string yaml = saying("api");
  yaml.replace(yaml.find("listeners:\n"), 11, "listeners:\n  - { name: more, bind: \"" + elsewhere.text() + "\" }\n");
  yaml.replace(yaml.find("weight: 1"), 9, "weight: 7");
  yaml += "log: { access: { path: \"" + log + "\" } }\n";
  const std::string said = "added listener `more`\nchanged route `/which`: respond.body\nchanged server `web/" +
                           origin.address().text() + "`: weight\nchanged setting `log.access.path`\n";
  const Outcome outcome = apply(yaml, {"--dry-run"});
  expect_done(outcome, said);
  EXPECT_EQ(outcome.out, said);
  EXPECT_EQ(apply(good + "# other words\n", {"--dry-run"}).out, "no change\n");

  // Also what it refuses.
  const Outcome refused = apply(with("workers: 2", "workers: 3"), {"--dry-run"});
  expect_failure(refused, "a reload cannot change workers");
  EXPECT_TRUE(contains(refused.err, "\nchanged setting `workers`\n")) << refused.err;
  expect_failure(apply(good + "error_pages: { 404: /no/such/page }\n", {"--dry-run"}), "/no/such/page");

  const Outcome programs = apply(with("workers: 2", "workers: 3"), {"--dry-run", "--json"});
  EXPECT_EQ(programs.code, 1);
  const json::object answer = json::parse(programs.out).as_object();
  EXPECT_EQ(answer.at("result").as_string(), "failed");
  EXPECT_EQ(json::serialize(answer.at("changes")),
            R"([{"what":"setting","name":"workers","change":"changed","keys":[]}])");

  EXPECT_EQ(which(), "file");
  EXPECT_EQ(from(), "file");
  EXPECT_FALSE(is_listening(elsewhere));
  EXPECT_FALSE(std::filesystem::exists(log));
  expect_done(apply(yaml), said);
  EXPECT_TRUE(is_listening(elsewhere));
}

TEST_F(CtlApply, IsShownAsCheckPrintsIt) {
  const auto printed = [](const std::string& path) { return run_baton({"check", "--print", "-c", path}).out; };
  EXPECT_EQ(ctl({"config"}).out, printed(baton.config_path()));
  expect_applied("api");
  const Outcome shown = ctl({"config"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_EQ(shown.out, printed(baton.directory() / "applied.yaml"));
  expect_done(apply(shown.out, {"--dry-run"}), "no change");
  expect_done(apply(shown.out), "done, ");
  upgrade();
  EXPECT_EQ(ctl({"config"}).out, shown.out);
}

TEST_F(CtlApply, IncludesFilesFromTheFolderOfTheFile) {
  std::filesystem::create_directory(baton.directory() / "conf.d");
  replace_file(baton.directory() / "conf.d/more.yaml",
               "routes: [ { match: { path: /more }, respond: { status: 200, body: included } } ]\n");
  expect_done(apply(good + "include: conf.d/*.yaml\n"), "added route `/more`");
  EXPECT_EQ(baton.connect().get("/more").body, "included");
  // An upgrade keeps what was read then.
  std::filesystem::remove_all(baton.directory() / "conf.d");
  upgrade();
  EXPECT_EQ(baton.connect().get("/more").body, "included");
}

TEST_F(CtlApply, IsRefusedDuringAnUpgradeAndTakenDuringADrain) {
  expect_done(ctl({"drain"}), "draining");
  expect_applied("drained");
  Client client = baton.connect();
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  baton.await_log(std::regex("\\[g2 [0-9]+\\] listening on"));
  expect_failure(apply(saying("api")), "an upgrade is in progress; try again when it has ended");
  EXPECT_EQ(put("?dry_run", good).status(), 409);
  // This is for the process that is the instance afterwards, and asks for the file.
  baton.signal(SIGHUP);
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(client.response().body, "held");
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(which(), "file");
}

// A reload that waits for its file.
class CtlApplyBesideAReload : public CtlApply {
 protected:
  void begin_slow_reload() {
    const std::string fifo = baton.directory() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0644), 0);
    std::filesystem::rename(fifo, baton.config_path());
    baton.signal(SIGHUP);
    await(
        [this] {
          writer = Fd(::open(baton.config_path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
          return static_cast<bool>(writer);
        },
        "Baton to read its file");
    replace_file(baton.config_path(), good);
  }
  void end_slow_reload() {
    const std::string text = saying("slow");
    ASSERT_EQ(::write(writer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    writer.close();
  }
  Command applying(const std::string& which) const {
    return {{baton_binary(), "ctl", "apply", written(saying(which)), "--admin", admin().text()}};
  }
  void await_its_turn() {
    baton.await_log(std::regex(R"(warn .* apply: another one has been reading files for \d+ s; this one follows)"));
  }

  Fd writer;
};

TEST_F(CtlApplyBesideAReload, FollowsItAndEachIsAnsweredOnItsOwn) {
  begin_slow_reload();
  Process first(applying("first"));
  await_its_turn();
  Process second(applying("second"));
  await_its_turn();
  EXPECT_EQ(which(), "file");
  end_slow_reload();
  EXPECT_EQ(first.await_exit(), (Ended{0, 0})) << first.err();
  EXPECT_EQ(second.await_exit(), (Ended{0, 0})) << second.err();
  EXPECT_EQ(which(), "second");
  EXPECT_EQ(from(), "api");
}

TEST_F(CtlApplyBesideAReload, IsOvertakenByAnUpgradeWhichReadsTheFile) {
  begin_slow_reload();
  Process asking(applying("api"));
  await_its_turn();
  baton.upgrade();
  EXPECT_EQ(asking.await_exit(), (Ended{1, 0}));
  asking.await_end_of_output();
  EXPECT_TRUE(contains(asking.err(), "an upgrade has begun")) << asking.err();
  EXPECT_EQ(which(), "file");
  EXPECT_EQ(from(), "file");
}

// The successor has the applied configuration, but a reload of the file is due.
TEST_F(CtlApplyBesideAReload, LeavesTheReloadToTheSuccessorIfAnotherWasInForce) {
  expect_applied("api");
  begin_slow_reload();
  baton.upgrade();
  baton.await_log(log_lines::reload_done);
  EXPECT_EQ(which(), "file");
  EXPECT_EQ(from(), "file");
}

}  // namespace
}  // namespace baton::harness
