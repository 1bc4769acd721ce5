// The parent knows what its worker has done before anybody else can see it: a worker killed at the first sign of it is
// replaced by one that has done the same. With this many listening sockets it takes a while to tell the parent.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <regex>

#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/process.hpp"
#include "supervise/supervised.hpp"
#include "systemd/notify_socket.hpp"

namespace baton::harness {
namespace {

constexpr int sockets = 5000;

// Each on its own address.
std::string many_listeners() {
  const std::string port = ":" + std::to_string(free_port());
  std::string binds;
  for (int i = 0; i < sockets; ++i) {
    binds += (i == 0 ? "" : ", ") +
             ("\"127.66." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + port + "\"");
  }
  return "  - { name: many, bind: [ " + binds + " ] }\n";
}

const std::regex replaced{"serving: .* in place of a crashed process"};

// ── The first start ───────────────────────────────────────────────────────────────────────────────────────────────

class ToldOfItsStart : public testing::Test {
 protected:
  ToldOfItsStart() {
    settings_.binds = {web_};
    settings_.more_listeners = many_listeners();
    replace_file(directory_ / "baton.yaml", to_yaml(settings_, directory_));
    parent_ = std::make_unique<Process>(Command{{baton_binary(), "run", "--supervise", "-c", directory_ / "baton.yaml"},
                                                {"NOTIFY_SOCKET=" + manager_.address()}});
    await([this] { return !children_of(parent_->pid()).empty(); }, "the first worker");
    worker_ = children_of(parent_->pid()).front();
  }
  ~ToldOfItsStart() override {
    // Workers lead their own process groups, which the harness does not search.
    const std::vector<pid_t> workers = children_of(parent_->pid());
    ::kill(parent_->pid(), SIGKILL);
    for (const pid_t worker : workers) ::kill(worker, SIGKILL);
  }

  void await_log(const std::regex& line) { parent_->await_line(Process::Stream::err, line); }
  void kill_and_expect_a_replacement() {
    ::kill(worker_, SIGKILL);
    await_log(replaced);
    EXPECT_EQ(Client(web_).get("/bytes/3").body, pattern(3));
    ::kill(parent_->pid(), SIGTERM);
    EXPECT_EQ(parent_->await_exit(), (Ended{0, 0})) << parent_->err().substr(0, 10'000);
  }

  const Origin origin_;
  const TempDir directory_;
  NotifySocket manager_;
  const Address web_ = loopback(free_port());
  Settings settings_{origin_.address()};
  std::unique_ptr<Process> parent_;
  pid_t worker_ = 0;
};

TEST_F(ToldOfItsStart, BeforeTheLogSaysThatItListens) {
  await_log(std::regex("listening on "));
  kill_and_expect_a_replacement();
}

TEST_F(ToldOfItsStart, BeforeTheLogSaysThatItServes) {
  await_log(std::regex("serving: "));
  kill_and_expect_a_replacement();
}

TEST_F(ToldOfItsStart, BeforeTheServiceManagerHearsThatItIsReady) {
  manager_.next_that_says("READY=1");
  kill_and_expect_a_replacement();
}

TEST_F(ToldOfItsStart, BeforeThePidFileIsThere) {
  await([this] { return exists(directory_ / "baton.pid"); }, "the PID file");
  kill_and_expect_a_replacement();
}

TEST_F(ToldOfItsStart, BeforeAClientIsServed) {
  await([this] { return is_listening(web_); }, "the listening socket");
  EXPECT_EQ(Client(web_).get("/bytes/3").body, pattern(3));
  kill_and_expect_a_replacement();
}

TEST_F(ToldOfItsStart, BeforeTheAdminInterfaceSaysThatItIsReady) {
  const Address admin = unix_socket(directory_ / "admin.sock");
  await([&] { return is_listening(admin); }, "the admin socket");
  EXPECT_EQ(Client(admin).get("/readyz").status(), 200);
  kill_and_expect_a_replacement();
}

TEST_F(ToldOfItsStart, WhichFailedWhereThePidFileCannotBeWritten) {
  std::filesystem::create_directory(directory_ / "baton.pid");
  EXPECT_EQ(parent_->await_exit(), (Ended{1, 0}));
  EXPECT_EQ(parent_->err().find("replaces"), std::string::npos) << "there is nothing to replace";
}

// ── What came later ───────────────────────────────────────────────────────────────────────────────────────────────

class ToldOfAChange : public Supervised {
 protected:
  ToldOfAChange() : Supervised([](Settings& settings) { settings.more_listeners = many_listeners(); }) {
    await_known(worker());
  }

  int command(const std::string& method, const std::string& path) {
    Client admin(unix_socket(baton.directory() / "admin.sock"));
    admin.send(method + " " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    return admin.response().status();
  }
  void add_listener() {
    const std::string before = read_file(baton.config_path());
    const std::string added = "listeners:\n  - { name: added, bind: \"" + added_.text() + "\" }\n";
    replace_file(baton.config_path(), std::regex_replace(before, std::regex("listeners:\n"), added));
  }
  void kill_and_await_replacement(pid_t worker) {
    ::kill(worker, SIGKILL);
    await_another_worker(worker);
    EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
  }

  const Address added_ = loopback(free_port());
};

TEST_F(ToldOfAChange, ADrainBeforeItIsAnswered) {
  const pid_t before = worker();
  EXPECT_EQ(command("POST", "/drain"), 200);
  kill_and_await_replacement(before);
  EXPECT_EQ(baton.readyz(), 503);
}

TEST_F(ToldOfAChange, AReloadBeforeTheLogSaysThatItIsDone) {
  const pid_t before = worker();
  add_listener();
  baton.signal(SIGHUP);
  baton.await_log(log_lines::reload_done);
  kill_and_await_replacement(before);
  EXPECT_EQ(Client(added_).get("/bytes/4").body, pattern(4));
}

TEST_F(ToldOfAChange, AReloadBeforeAClientIsServedThere) {
  const pid_t before = worker();
  add_listener();
  baton.signal(SIGHUP);
  await([this] { return is_listening(added_); }, "the new listener");
  EXPECT_EQ(Client(added_).get("/bytes/3").body, pattern(3));
  kill_and_await_replacement(before);
  EXPECT_EQ(Client(added_).get("/bytes/4").body, pattern(4));
}

TEST_F(ToldOfAChange, AnUpgradeBeforeItIsReported) {
  add_listener();
  baton.begin_upgrade();
  const std::string report = baton.await_log(log_lines::upgrade_report);
  std::smatch found;
  ASSERT_TRUE(std::regex_search(report, found, std::regex("PID [0-9]+ to ([0-9]+)"))) << report;
  kill_and_await_replacement(std::stoi(found[1]));
  EXPECT_EQ(Client(added_).get("/bytes/4").body, pattern(4));
}

TEST_F(ToldOfAChange, AStopBeforeTheLogSaysThatItStops) {
  const pid_t before = worker();
  Client held = baton.connect();
  held.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  EXPECT_EQ(command("POST", "/drain"), 200);
  Client admin(unix_socket(baton.directory() / "admin.sock"));
  admin.send("POST /stop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  baton.await_log(std::regex("stopping \\("));
  ::kill(before, SIGKILL);
  EXPECT_EQ(baton.await_exit(), (Ended{1, 0})) << "it was told to stop, and did not end in order";
  EXPECT_EQ(baton.count_log_lines(std::regex("replaces the crashed worker")), 0u);
}

}  // namespace
}  // namespace baton::harness
