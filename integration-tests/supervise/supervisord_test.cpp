// Under Debian's supervisord, run by hand in the foreground with its own configuration.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <regex>

#include "harness/baton.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

bool has_supervisord() {
  try {
    return run({{"supervisord", "--version"}}).code == 0;
  } catch (const Failure&) {
    return false;
  }
}

class Supervisord : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_supervisord()) GTEST_SKIP() << "supervisord is not installed";
    settings.servers = {{origin.address()}};
    settings.binds = {loopback(free_port())};
    settings.handoff += ", finish_timeout: 50ms";
    replace_file(directory / "baton.yaml", to_yaml(settings, directory));
    // Root gets a warning without `user`; for others an empty one is an invalid name.
    const std::string user = ::geteuid() == 0 ? "user=root\n" : "";
    replace_file(directory / "supervisord.conf",
                 "[supervisord]\nnodaemon=true\n" + user +
                     "logfile=/dev/null\nlogfile_maxbytes=0\npidfile=" + directory / "supervisord.pid" +
                     "\n[unix_http_server]\nfile=" + directory / "supervisor.sock" +
                     "\n[rpcinterface:supervisor]\n"
                     "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
                     "[supervisorctl]\nserverurl=unix://" + directory / "supervisor.sock" +
                     "\n[program:baton]\ncommand=" + baton_in_shell() + " run --supervise -c " + directory / "baton.yaml" +
                     "\nstopsignal=TERM\nautorestart=unexpected\nexitcodes=0\nstdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\n"
                     "stderr_logfile=/dev/fd/2\nstderr_logfile_maxbytes=0\n");
    process = std::make_unique<Process>(Command{{"supervisord", "-c", directory / "supervisord.conf"}});
    await_serving();
  }
  void await_serving() {
    try {
      await(
          [this] {
            if (!is_alive(process->pid())) throw Failure("supervisord has ended");
            return is_listening(unix_socket(directory / "admin.sock")) && is_listening(settings.binds.front());
          },
          "Baton to serve");
    } catch (const Failure& failure) {
      throw Failure(std::string(failure.what()) + "\n" + process->err() + process->out());
    }
  }
  std::string control(std::vector<std::string> words) const {
    words.insert(words.begin(), {"supervisorctl", "-c", directory / "supervisord.conf"});
    const Outcome outcome = run({std::move(words)});
    return outcome.out + outcome.err;
  }
  pid_t pid() const { return std::atoi(control({"pid", "baton"}).c_str()); }
  std::int64_t worker() const {
    return boost::json::parse(Client(unix_socket(directory / "admin.sock")).get("/status").body)
        .as_object().at("pid").to_number<std::int64_t>();
  }

  Origin origin;
  TempDir directory;
  Settings settings;
  std::unique_ptr<Process> process;
};

TEST_F(Supervisord, SeesOnePidThroughUpgradesAndStopsIt) {
  const pid_t constant = pid();
  ASSERT_TRUE(is_alive(constant));
  Client client(settings.binds.front());
  for (int i = 0; i < 2; ++i) {
    client.get("/bytes/1");
    const std::int64_t before = worker();
    EXPECT_NE(control({"signal", "USR2", "baton"}).find("signalled"), std::string::npos);
    await([&] { return worker() != before; }, "the successor to serve");
    EXPECT_EQ(client.get("/bytes/5").body, pattern(5));
    EXPECT_EQ(pid(), constant);
    await([&] { return children_of(constant).size() == 1; }, "the old one to end");
  }
  EXPECT_NE(control({"stop", "baton"}).find("baton: stopped"), std::string::npos);
  EXPECT_FALSE(is_alive(constant));
  EXPECT_FALSE(is_listening(settings.binds.front()));
  EXPECT_NE(control({"status", "baton"}).find("STOPPED"), std::string::npos);
  process->signal(SIGTERM);
  EXPECT_EQ(process->await_exit().signal, 0);
}

}  // namespace
}  // namespace baton::harness
