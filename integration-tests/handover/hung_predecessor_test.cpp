// A real predecessor hangs in the middle of an upgrade for longer than any step may take: the successor serves what it
// owns and waits. Then the predecessor continues as if nothing had happened, or is killed and succeeded.
#include <gtest/gtest.h>
#include <signal.h>

#include <list>

#include "harness/aftermath.hpp"
#include "harness/origin.hpp"
#include "harness/strace.hpp"

namespace baton::harness {
namespace {

constexpr Milliseconds step_timeout{1000};

// The predecessor's messages in an upgrade of few connections, in order.
enum Message { hello = 1, inherit, listen, offer, done };

struct Row {
  Message last;  // sent before it hangs
  bool killed;   // or it continues
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << "message " << row.last << (row.killed ? ", killed" : ", goes on");
}

class HungPredecessor : public testing::TestWithParam<Row> {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.workers = 1;  // all connections fit into one Offer
    settings.handoff = "ready_timeout: 15s, step_timeout: " + std::to_string(step_timeout.count()) + "ms";
    return settings;
  }
  void SetUp() override {
    if (!can_attach()) GTEST_SKIP() << "strace is not installed, or may not attach here";
    for (int i = 0; i < 3; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
    partial.send("GET /bytes/3 HTTP/1.1\r\n");
    baton.await_number("connections.total", 4);
  }

  void stand_still_after(Message message) {
    // strace detaches from the successor at its execve.
    tracer = std::make_unique<Process>(
        Command{{"sh", "-c",
                 "exec strace -f -b execve -o " + trace + " " + injection("sendmsg", "signal=STOP", message) + " -p " +
                     std::to_string(predecessor)}});
    tracer->await_line(Process::Stream::err, std::regex("attached"));
    baton.begin_upgrade();
    await([this] { return read_file(trace).find("stopped by SIGSTOP") != std::string::npos; },
          "the predecessor to stand still");
    successor = children_of(predecessor).at(0);
  }
  // What a successor can do by then, it does, however long the hang lasts.
  void serve_meanwhile() {
    if (GetParam().last == inherit)
      await([&] { return !temporaries_of(baton, successor).empty(); }, "the successor to have inherited");
    const Deadline long_enough(step_timeout * 3 / 2);
    while (!long_enough.passed()) {
      if (GetParam().last < listen) continue;
      EXPECT_EQ(baton.connect().get("/bytes/2").body, pattern(2));
      if (GetParam().last < offer) continue;
      EXPECT_EQ(idle.front().get("/bytes/2").body, pattern(2));
    }
    EXPECT_TRUE(is_alive(successor)) << baton.log();
  }
  void expect_all_clients_live() {
    for (Client& client : idle) EXPECT_EQ(client.get("/bytes/7").body, pattern(7));
    partial.send("Host: a\r\n\r\n");
    EXPECT_EQ(partial.response().body, pattern(3));
  }
  void expect_all_clients_lost() {
    std::string bytes;
    for (Client& client : idle) client.read_to_end(bytes);
    partial.read_to_end(bytes);
    EXPECT_EQ(bytes, "");
  }

  Origin origin;
  Baton baton{settings(origin)};
  const pid_t predecessor = baton.pid();
  pid_t successor = 0;
  const TempDir traces;
  const std::string trace = traces / "trace";
  std::unique_ptr<Process> tracer;
  std::list<Client> idle;
  Client partial = baton.connect();
};

TEST_P(HungPredecessor, IsWaitedForAndThenGoesOnOrIsSucceeded) {
  stand_still_after(GetParam().last);
  serve_meanwhile();
  if (GetParam().killed) {
    ::kill(predecessor, SIGKILL);
    EXPECT_EQ(baton.await_exit(), (Ended{-1, SIGKILL}));
    await([this] { return baton.pid_in_file() == successor; }, "the successor to be the instance");
    baton.follow_pid_file();
  } else {
    ::kill(predecessor, SIGCONT);
    baton.finish_upgrade();
  }
  EXPECT_EQ(baton.pid(), successor);
  // A predecessor that dies while it still owns everything takes all connections along.
  const bool died_with_all = GetParam().killed && GetParam().last == listen;
  if (died_with_all) {
    expect_all_clients_lost();
    idle.clear();
  } else {
    expect_all_clients_live();
  }
  expect_one_instance(baton);
  idle.emplace_back(baton.address()).get("/bytes/1");
  baton.upgrade();
  for (Client& client : idle) EXPECT_EQ(client.get("/bytes/8").body, pattern(8));
  expect_one_instance(baton);
}

std::string name_of(const testing::TestParamInfo<Row>& row) {
  const std::vector<std::string> messages = {"", "Hello", "Inherit", "Listen", "Offer", "Done"};
  return messages[row.param.last] + (row.param.killed ? "_killed" : "_goes_on");
}

INSTANTIATE_TEST_SUITE_P(After, HungPredecessor,
                         testing::Values(Row{inherit, false}, Row{listen, false}, Row{listen, true}, Row{offer, false},
                                         Row{offer, true}, Row{done, false}, Row{done, true}),
                         name_of);

}  // namespace
}  // namespace baton::harness
