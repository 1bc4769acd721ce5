// `baton ctl upgrade`: progress, the report although the answering process exits, and every other outcome.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <algorithm>
#include <filesystem>
#include <list>
#include <sstream>

#include "ctl/ctl.hpp"
#include "harness/log_lines.hpp"

namespace baton::harness {
namespace {

namespace json = boost::json;

class CtlUpgrade : public Ctl {
 protected:
  // Its request delays the next upgrade until the gate opens.
  void hold(Client& client) {
    client.send(get_request("/held"));
    origin.gate().await_arrivals(1);
  }
  void expect_still_serving(const std::string& why) {
    EXPECT_EQ(baton.number("generation"), 1);
    const json::object upgrade = baton.status().at("last_upgrade").as_object();
    EXPECT_EQ(upgrade.at("result").as_string(), "failed");
    EXPECT_TRUE(contains(std::string(upgrade.at("reason").as_string()), why)) << json::serialize(upgrade);
    EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
  }
  void install(const std::string& script) { replace_file(baton.binary_path(), script, true); }
};

TEST_F(CtlUpgrade, MovesLiveConnectionsAndReportsWhatStatusSays) {
  std::list<Client> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(baton.address()).get("/bytes/1");
  const Outcome outcome = ctl({"upgrade", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err << baton.log();
  baton.finish_upgrade();
  json::object report = json::parse(outcome.out).as_object();
  EXPECT_EQ(report.at("moved_total").to_number<int>(), 20);
  EXPECT_EQ(report.at("result").as_string(), "completed");
  json::object status = baton.status().at("last_upgrade").as_object();
  report.erase("duration_ms");  // the successor's report lacks the time of the last answer
  status.erase("duration_ms");
  report.erase("steps");  // the same of its times
  EXPECT_TRUE(status.erase("steps"));
  EXPECT_EQ(report, status);
  EXPECT_EQ(status.at("to_pid").to_number<pid_t>(), baton.pid());
  for (Client& client : clients) EXPECT_EQ(client.get("/bytes/9").body, pattern(9));
  EXPECT_EQ(baton.number("accepted_total"), 20) << "nobody reconnected";
}

TEST_F(CtlUpgrade, TellsPeopleHowItGoesOn) {
  Client held = baton.connect();
  hold(held);
  std::list<Client> idle;
  for (int i = 0; i < 3; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
  Process process(ctl_command({"upgrade"}));
  const auto await_line = [&](const char* line) { process.await_line(Process::Stream::out, std::regex(line)); };
  await_line("^started .*/baton as PID [0-9]+$");
  await_line("^the successor is ready$");
  await_line("^connections move$");
  await_line("3 of 4 connections have left$");
  origin.gate().open();
  await_line("^result         completed$");
  await_line("^generation     1 to 2$");
  await_line("^moved          4 \\(");
  EXPECT_EQ(process.await_exit(), (Ended{0, 0}));
  EXPECT_EQ(process.err(), "");
  EXPECT_FALSE(contains(process.out(), "\r"));
  baton.finish_upgrade();
  EXPECT_EQ(held.response().body, "held");
}

TEST_F(CtlUpgrade, ThatCannotBeginNamesThisProcessAndNoOther) {
  // Another process holds the lock at its path.
  const std::string lock = baton.directory() / "handoff.sock.lock";
  std::filesystem::remove(lock);
  const Fd other(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  const Outcome outcome = ctl({"upgrade"});
  EXPECT_EQ(outcome.code, 1);
  const std::string version(baton.status().at("version").as_string());
  EXPECT_TRUE(contains(outcome.out, "another instance holds the new one\n"
                                    "generation     1 to unknown\n"
                                    "PID            " + std::to_string(baton.pid()) + " to unknown\n" +
                                    "version        " + version + " to unknown\n"))
      << outcome.out;
  EXPECT_EQ(baton.number("last_upgrade.from_generation"), 1);
  EXPECT_EQ(baton.number("last_upgrade.from_pid"), baton.pid());
  EXPECT_EQ(baton.number("last_upgrade.to_pid"), 0);
  expect_still_serving("another instance holds the new one");
}

TEST_F(CtlUpgrade, DrawsABarInPlaceOnATerminal) {
  Client client = baton.connect();
  client.get("/bytes/1");
  std::string line;
  for (const auto& word : ctl_command({"upgrade"}).argv) line += " '" + word + "'";
  const Outcome outcome = run({{"script", "--quiet", "--return", "--command", line, "/dev/null"}});
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "\r[")) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "connections have left\r\n"))
      << "the report begins on a line of its own" << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "result         completed")) << outcome.out;
  baton.finish_upgrade();
}

TEST_F(CtlUpgrade, AgainAndAgainGoesOnWithTheSameConnection) {
  Client client = baton.connect();
  for (int generation = 2; generation <= 5; ++generation) {
    const Outcome outcome = ctl({"upgrade"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    baton.finish_upgrade();
    EXPECT_EQ(baton.number("generation"), generation);
    EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
  }
}

TEST_F(CtlUpgrade, StartsAnotherBinaryAndTheNextOneStartsThatAgain) {
  const std::string other = baton.directory() / "other";
  std::filesystem::copy_file(baton.binary_path(), other);
  Command command = ctl_command({"upgrade", "--binary", "other"});
  command.directory = baton.directory().path();  // relative paths are relative to us, not to the server
  const Outcome first = run(command);
  EXPECT_EQ(first.code, 0) << first.err;
  baton.finish_upgrade();
  const auto running = [this] {
    return std::filesystem::read_symlink("/proc/" + std::to_string(baton.pid()) + "/exe").string();
  };
  EXPECT_EQ(running(), other);
  EXPECT_EQ(read_file("/proc/" + std::to_string(baton.pid()) + "/cmdline").substr(0, other.size() + 1), other + '\0');
  install("#!/bin/sh\nexit 1\n");  // at the first path, which is not started any more
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  EXPECT_EQ(running(), other);
}

// The event log has only well-formed lines, from every writer: this process, its successor, or one that does not even
// understand its command line.
void expect_only_log_lines(const Baton& baton) {
  static const std::regex line_of_the_log(R"(\d{4}-\d\d-\d\dT[0-9:.]+Z (debug|info |warn |error) \[g[0-9?]+ \d+\] .*)");
  std::istringstream lines(baton.log());
  for (std::string line; std::getline(lines, line);) EXPECT_TRUE(std::regex_match(line, line_of_the_log)) << line;
}

TEST_F(CtlUpgrade, ToABadConfigurationShowsEachProblemInALineOfItsOwn) {
  const std::string good = read_file(baton.config_path());
  replace_file(baton.config_path(), good + "no_such_key: 1\nnor_this: 2\n");
  const Outcome outcome = ctl({"upgrade"});
  EXPECT_EQ(outcome.code, 1);
  const int lines = static_cast<int>(std::count(good.begin(), good.end(), '\n'));
  const auto problem = [&](int line, const char* key) {
    return "               " + baton.config_path() + ":" + std::to_string(line) + ":1: unknown key `" + key + "` at the top level";
  };
  EXPECT_TRUE(contains(outcome.out,
                       "result         failed: the configuration is invalid:\n" + problem(lines + 1, "no_such_key")))
      << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "\n" + problem(lines + 2, "nor_this"))) << outcome.out;
  EXPECT_TRUE(contains(outcome.out, "\n               the successor exited with code 1\ngeneration     1 to ")) << outcome.out;
  EXPECT_FALSE(contains(outcome.out, "\uFFFD"));
  const Outcome status = ctl({"status"});
  EXPECT_TRUE(contains(status.out, "\n" + problem(lines + 2, "nor_this"))) << status.out;
  baton.await_log(std::regex("cannot succeed: .*no_such_key"));
  expect_only_log_lines(baton);
  replace_file(baton.config_path(), good);
  EXPECT_EQ(ctl({"upgrade"}).code, 0);
  baton.finish_upgrade();
  expect_only_log_lines(baton);
}

TEST_F(CtlUpgrade, ToAProgramThatDoesNotKnowTheCommandLineSaysSo) {
  // Like an older version that lacks an option.
  const std::string other = baton.directory() / "other";
  std::filesystem::copy_file(baton.binary_path(), other);
  replace_file(baton.binary_path(), "#!/bin/sh\nexec " + other + " \"$@\" --of-a-later-version\n", true);
  const Outcome outcome = ctl({"upgrade"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.out, "there is no option `--of-a-later-version` of `baton run`")) << outcome.out;
  baton.await_log(std::regex("cannot succeed: there is no option"));
  expect_only_log_lines(baton);
}

TEST_F(CtlUpgrade, ToABinaryThatIsNotThereFailsAndTheNextWorks) {
  const Outcome outcome = ctl({"upgrade", "--binary", "/no/such/binary"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.out, "failed: cannot start /no/such/binary: No such file")) << outcome.out;
  EXPECT_TRUE(contains(outcome.err, "it failed: the running process continues")) << outcome.err;
  expect_still_serving("cannot start /no/such/binary");
  EXPECT_EQ(ctl({"upgrade"}).code, 0) << "and it starts from its own path again";
  baton.finish_upgrade();
}

TEST_F(CtlUpgrade, WithABadConfigurationSaysWhereItIsWrong) {
  Client client = baton.connect();
  client.get("/bytes/1");
  replace_file(baton.config_path(), read_file(baton.config_path()) + "no_such_key: 1\n");
  const Outcome outcome = ctl({"upgrade", "--json"});
  EXPECT_EQ(outcome.code, 1);
  const std::string reason(json::parse(outcome.out).at("reason").as_string());
  EXPECT_TRUE(contains(reason, baton.config_path() + ":")) << reason;
  expect_still_serving("no_such_key");
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3));
}

TEST_F(CtlUpgrade, ToAProgramThatDiesFailsWithItsExitCode) {
  install("#!/bin/sh\nexit 7\n");
  const Outcome outcome = ctl({"upgrade"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(contains(outcome.out, "the successor exited with code 7")) << outcome.out;
  expect_still_serving("exited with code 7");
}

TEST_F(CtlUpgrade, ASecondOneMeanwhileIsRefusedAndSoIsAReload) {
  Client held = baton.connect();
  hold(held);
  Process first(ctl_command({"upgrade"}));
  first.await_line(Process::Stream::out, std::regex("connections move"));
  expect_failure(ctl({"upgrade"}), "in progress already");
  expect_failure(ctl({"reload"}), "an upgrade is in progress");
  EXPECT_EQ(ctl({"status"}).code, 0);
  baton.begin_upgrade();
  baton.await_log(log_lines::upgrade_refused);
  origin.gate().open();
  EXPECT_EQ(first.await_exit(), (Ended{0, 0})) << first.err();
  baton.finish_upgrade();
  EXPECT_EQ(held.response().body, "held");
}

TEST_F(CtlUpgrade, ByASignalRefusesOneByCommand) {
  Client held = baton.connect();
  hold(held);
  baton.begin_upgrade();
  baton.await_log(std::regex("upgrade begins"));
  expect_failure(ctl({"upgrade"}), "in progress already");
  origin.gate().open();
  baton.finish_upgrade();
}

TEST_F(CtlUpgrade, IsCalledOffByAStopAndSaysSo) {
  Client held = baton.connect();
  hold(held);
  Process upgrade(ctl_command({"upgrade"}));
  upgrade.await_line(Process::Stream::out, std::regex("connections move"));
  EXPECT_EQ(ctl({"stop"}).code, 0);
  upgrade.await_line(Process::Stream::out, std::regex("rolled_back: told to stop by a signal"));
  EXPECT_EQ(upgrade.await_exit(), (Ended{1, 0}));
  EXPECT_TRUE(contains(upgrade.err(), "it was rolled back: the running process continues")) << upgrade.err();
  baton.await_log(std::regex("upgrade: rolled back: told to stop by a signal"));
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton.await_exit(), (Ended{0, 0}));
}

TEST_F(CtlUpgrade, GoesOnWithoutWhoeverCommandedIt) {
  Client held = baton.connect();
  hold(held);
  {
    Process leaving(ctl_command({"upgrade"}));
    leaving.await_line(Process::Stream::out, std::regex("connections move"));
    leaving.signal(SIGKILL);
    leaving.await_exit();
  }
  origin.gate().open();
  baton.finish_upgrade();
  EXPECT_EQ(held.response().body, "held");
  EXPECT_EQ(baton.number("generation"), 2);
}

TEST_F(CtlUpgrade, WhoseServerIsKilledInTheMiddleHasNoKnownEnd) {
  Client held = baton.connect();
  hold(held);
  Process upgrade(ctl_command({"upgrade"}));
  upgrade.await_line(Process::Stream::out, std::regex("connections move"));
  baton.signal(SIGKILL);
  upgrade.await_line(Process::Stream::err, std::regex("how the upgrade ended is unknown"));
  EXPECT_EQ(upgrade.await_exit(), (Ended{1, 0}));
}

class CtlUpgradeThatCuts : public Ctl {
 protected:
  CtlUpgradeThatCuts()
      : Ctl([](Settings& settings) { settings.handoff = "ready_timeout: 15s, step_timeout: 15s, drain_timeout: 0s"; }) {
  }
};

// The predecessor exits as soon as it may, but sends the report first.
TEST_F(CtlUpgradeThatCuts, IsReportedHoweverSoonTheOldProcessEnds) {
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = ctl({"upgrade", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    baton.finish_upgrade();
    EXPECT_EQ(json::parse(outcome.out).at("to_pid").to_number<pid_t>(), baton.pid());
  }
}

}  // namespace
}  // namespace baton::harness
