// As PID 1 of a PID namespace, without an init.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <regex>

#include "harness/aftermath.hpp"
#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

bool can_unshare() {
  try {
    return run({{"unshare", "--pid", "--fork", "--mount-proc", "true"}}).code == 0;
  } catch (const Failure&) {
    return false;
  }
}

class Container : public testing::Test {
 protected:
  void SetUp() override {
    if (!can_unshare()) GTEST_SKIP() << "no PID namespace can be made here";
    settings.servers = {{origin.address()}};
    settings.binds = {loopback(free_port())};
    settings.handoff += ", finish_timeout: 50ms";
    replace_file(directory / "baton.yaml", to_yaml(settings, directory));
  }
  void TearDown() override {
    if (init != 0) ::kill(init, SIGKILL);
  }
  // `script` becomes PID 1; "$0" is Baton.
  void start(const std::string& script) {
    process = std::make_unique<Process>(
        Command{{"unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, baton_binary()}});
    await([&] { return !children_of(process->pid()).empty(); }, "the namespace");
    init = children_of(process->pid()).front();
    await([&] { return is_listening(unix_socket(directory / "admin.sock")) && is_listening(settings.binds.front()); }, "Baton to serve\n" + process->err());
  }
  boost::json::object status() const {
    return boost::json::parse(Client(unix_socket(directory / "admin.sock")).get("/status").body).as_object();
  }
  // In the namespace.
  std::int64_t worker() const { return status().at("pid").to_number<std::int64_t>(); }

  Origin origin;
  TempDir directory;
  Settings settings;
  std::unique_ptr<Process> process;
  pid_t init = 0;
};

TEST_F(Container, Pid1IsASupervisorThatUpgradesReplacesAndStops) {
  start("exec \"$0\" run -c " + directory / "baton.yaml");
  EXPECT_EQ(status().at("supervisor").to_number<int>(), 1);
  EXPECT_EQ(read_file(directory / "baton.pid"), "1\n");
  Client client(settings.binds.front());
  client.get("/bytes/1");
  const std::int64_t first = worker();
  const std::vector<pid_t> predecessor = children_of(init);
  ::kill(init, SIGUSR2);
  await([&] { return worker() != first; }, "the successor to serve");
  EXPECT_EQ(client.get("/bytes/5").body, pattern(5));

  // The successor is a child of its predecessor until that exits.
  await([&] { return children_of(init).size() == 1 && children_of(init) != predecessor; }, "the old one to be reaped");
  await([&] { return process->err().find("is the instance, generation 2") != std::string::npos; }, "the parent to know");
  ::kill(children_of(init).front(), SIGKILL);
  process->await_line(Process::Stream::err, std::regex("in place of a crashed process"));
  EXPECT_EQ(Client(settings.binds.front()).get("/bytes/6").body, pattern(6));
  ::kill(init, SIGTERM);
  EXPECT_EQ(process->await_exit(), (Ended{0, 0})) << process->err();
  init = 0;
}

TEST_F(Container, OrphansAreReaped) {
  // Two generations of orphans, created before PID 1 becomes Baton; they exit when the pipe closes.
  start("mkfifo " + directory / "end" + "; for i in 1 2 3; do (sh -c 'read x < " + directory / "end" +
        "' & exec true) & done; wait; exec \"$0\" run -c " + directory / "baton.yaml");
  await([&] { return children_of(init).size() == 4; }, "three orphans and a worker");
  { const Fd end(::open((directory / "end").c_str(), O_WRONLY | O_CLOEXEC)); }
  await([&] { return children_of(init).size() == 1; }, "the orphans to be reaped");
  EXPECT_EQ(Client(settings.binds.front()).get("/bytes/6").body, pattern(6));
  ::kill(init, SIGTERM);
  EXPECT_EQ(process->await_exit(), (Ended{0, 0})) << process->err();
  init = 0;
}

}  // namespace
}  // namespace baton::harness
