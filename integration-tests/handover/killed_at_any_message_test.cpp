// A side is killed at its first message, then at its second, its third, until the upgrade passes unharmed; strace sends
// the signal at the n-th call. The process that is left serves what it owns correctly.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

const std::regex upgrade_over{R"(upgrade: (failed|rolled back|generation))"};

// The messages that each side sends at least: Hello, Ready, Listening, Adopted, Bye; Hello, Inherit, Listen, Offer,
// Done.
constexpr int messages_at_least = 5;

std::int64_t moved_in(const std::string& line) {
  std::smatch found;
  return std::regex_search(line, found, std::regex(R"(moved=(\d+))")) ? std::stoll(found[1]) : -1;
}

std::string injection(const std::string& call, int n) {
  return "-e trace=" + call + " -e inject=" + call + ":signal=KILL:when=" + std::to_string(n);
}

class KilledAtAnyMessage : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!can_trace()) GTEST_SKIP() << "strace is not installed, or may not trace here";
  }

  struct Scene {
    explicit Scene(const Origin& origin) : baton(settings(origin)) {
      for (int i = 0; i < 5; ++i) idle.emplace_back(baton.address()).get("/bytes/1");
      partial.send("GET /bytes/3 HTTP/1.1\r\n");
    }
    static Settings settings(const Origin& origin) {
      Settings settings(origin.address());
      settings.own_binary = true;
      settings.handoff = "ready_timeout: 15s, step_timeout: 5s, drain_timeout: 300ms";
      return settings;
    }
    // An answer, if there is one, is complete and right. Returns how many clients have lost their connection.
    std::int64_t lost() {
      std::int64_t count = 0;
      for (Client& client : idle) {
        client.send_what_goes(get_request("/bytes/7"));
        count += answered(client, pattern(7)) ? 0 : 1;
      }
      partial.send_what_goes("Host: a\r\n\r\n");
      return count + (answered(partial, pattern(3)) ? 0 : 1);
    }
    static bool answered(Client& client, const std::string& body) {
      std::string head;
      try {
        head = client.read_exactly(1);
      } catch (const Failure&) {
        return false;
      }
      client.read_through("\r\n\r\n");
      EXPECT_EQ(client.read_exactly(body.size()), body);
      return true;
    }

    Baton baton;
    std::list<Client> idle;
    Client partial = baton.connect();
  };

  Origin origin;
};

TEST_P(KilledAtAnyMessage, ASuccessorCostsOnlyWhatItHadAdopted) {
  bool passed = false;
  int killed = 0;
  for (int n = 1; !passed && n < 60; ++n) {
    SCOPED_TRACE("killed at " + GetParam() + " number " + std::to_string(n));
    Scene scene(origin);
    replace_file(scene.baton.binary_path(),
                 "#!/bin/sh\nexec strace -D -f -qq -o /dev/null " + injection(GetParam(), n) + " " + baton_in_shell() +
                     " \"$@\"\n",
                 true);
    scene.baton.begin_upgrade();
    const std::string line = scene.baton.await_log(upgrade_over);
    const std::int64_t moved = moved_in(line);
    passed = line.find("upgrade: generation") != std::string::npos;
    EXPECT_EQ(scene.lost(), passed ? 0 : moved) << line << "\n" << scene.baton.log();
    if (passed) break;
    ++killed;
    EXPECT_EQ(scene.baton.pid_in_file(), scene.baton.pid());
    EXPECT_EQ(scene.baton.connect().get("/bytes/4").body, pattern(4));
    replace_file(scene.baton.binary_path(), read_file(baton_binary()), true);
    scene.baton.upgrade();
  }
  EXPECT_TRUE(passed);
  EXPECT_GE(killed, messages_at_least);
}

TEST_P(KilledAtAnyMessage, APredecessorLeavesTheServiceToAReadySuccessor) {
  bool passed = false;
  int killed = 0;
  bool succeeded_after_death = false;
  for (int n = 1; !passed && n < 60; ++n) {
    SCOPED_TRACE("killed at " + GetParam() + " number " + std::to_string(n));
    Scene scene(origin);
    const pid_t predecessor = scene.baton.pid();
    // strace detaches from the successor at its execve.
    Process tracer(
        {{"sh", "-c",
          "exec strace -f -b execve -o /dev/null " + injection(GetParam(), n) + " -p " + std::to_string(predecessor)}});
    tracer.await_line(Process::Stream::err, std::regex("attached"));
    scene.baton.begin_upgrade();
    const Ended ended = scene.baton.await_exit();
    passed = ended == Ended{0, 0};
    ASSERT_TRUE(passed || ended == (Ended{-1, SIGKILL})) << to_string(ended) << scene.baton.log();
    killed += passed ? 0 : 1;
    // Either a successor names itself, or none was ready, and then none is left.
    const auto nobody_lives = [] {
      const auto children = children_of(::getpid());
      return std::none_of(children.begin(), children.end(), is_alive);
    };
    await([&] { return scene.baton.pid_in_file() != predecessor || nobody_lives(); },
          "a successor to be the instance, or to end");
    if (scene.baton.pid_in_file() == predecessor) continue;
    succeeded_after_death = succeeded_after_death || !passed;
    EXPECT_EQ(scene.baton.connect().get("/bytes/4").body, pattern(4)) << scene.baton.log();
    const std::int64_t lost = scene.lost();
    EXPECT_TRUE(lost == 0 || !passed) << lost;
  }
  EXPECT_TRUE(passed);
  EXPECT_TRUE(succeeded_after_death);
  EXPECT_GE(killed, messages_at_least);
}

INSTANTIATE_TEST_SUITE_P(Of, KilledAtAnyMessage, testing::Values("sendmsg", "recvmsg"),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace baton::harness
