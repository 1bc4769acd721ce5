// The line counter as a real process that is killed, or dies of a fault, under its clients: they compare every byte,
// and a crash may cost the one that is being served, which sees a reset.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <future>
#include <random>

#include "examples/example.hpp"
#include "examples/talk.hpp"

namespace baton::harness {

namespace {

const std::string line_counter = EXAMPLES "/line_counter";
const std::string line_counter_newer = EXAMPLES "/line_counter_newer";

struct LineCounterCrash : testing::Test {
  // Between two events: no connection is in a Step.
  void crash_at_rest(int signal) {
    await_rest(server.pid());
    server.crash(signal);
  }
  void begin_turns() {
    for (const auto& talk : talks) talk->begin_turn();
  }
  void end_turns() {
    for (const auto& talk : talks) talk->end_turn();
  }
  std::string await_log(const std::string& pattern) {
    return server.process().await_line(Process::Stream::err, std::regex(pattern));
  }

  Example server{line_counter};
  Talks talks = talk_in_lines(server.address());
};

TEST_F(LineCounterCrash, IsNothingThatAClientAtRestSees) {
  for (const int signal : {SIGKILL, SIGSEGV}) {
    begin_turns();
    crash_at_rest(signal);
    end_turns();
    await_log("after the crash: 2 connections go on, 0 are reset");
  }
  server.await_alone();
  EXPECT_TRUE(is_alive(server.keeper()));
  EXPECT_TRUE(is_listening(server.address()));
}

TEST_F(LineCounterCrash, BeforeAndAfterUpgradesIsTheSame) {
  const auto in_turn = [this](auto step) {
    begin_turns();
    step();
    end_turns();
  };
  in_turn([&] { crash_at_rest(SIGKILL); });
  in_turn([&] { EXPECT_NE(server.upgrade_to(line_counter_newer).find("moved=2,"), std::string::npos); });
  in_turn([&] { crash_at_rest(SIGSEGV); });
  EXPECT_NE(await_log("generation 4").find("version 1.1"), std::string::npos);  // what ran, goes on
  in_turn([&] { EXPECT_NE(server.upgrade_to(line_counter).find("moved=2,"), std::string::npos); });
  server.await_alone();
}

// The name under which operators find it is still that of the program.
TEST_F(LineCounterCrash, LeavesTheNameOfTheProcess) {
  const auto name = [this] { return read_file("/proc/" + std::to_string(server.pid()) + "/comm"); };
  const std::string before = name();
  crash_at_rest(SIGKILL);
  EXPECT_EQ(name(), before);
}

TEST_F(LineCounterCrash, AgainAndAgainEndsConnectionsAndThenTheService) {
  for (int i = 0; i < 2; ++i) crash_at_rest(SIGKILL);
  begin_turns();
  crash_at_rest(SIGKILL);
  EXPECT_THROW(end_turns(), ConnectionEnded);
  for (int i = 0; i < 2; ++i) {
    if (i == 1) crash_at_rest(SIGKILL);
    talks = talk_in_lines(server.address());
    begin_turns();
    end_turns();
  }
  const pid_t last = server.pid();
  ::kill(last, SIGKILL);
  await_log("nothing goes on: too many crashes in a row");
  server.await_nobody();
  EXPECT_FALSE(is_listening(server.address()));
  EXPECT_THROW(server.pid(), std::exception);  // nor is there a PID file
}

TEST_F(LineCounterCrash, DuringAnUpgradeLeavesNothingBehind) {
  begin_turns();
  const pid_t keeper = server.keeper();
  const TempDir directory;
  replace_file(directory / "hangs", "#!/bin/sh\nexec sleep 1000\n", true);
  server.begin_upgrade_to(directory / "hangs");
  await_log("upgrade begins");
  ::kill(server.pid(), SIGKILL);
  await([&] { return !is_alive(keeper); }, "the keeper to end");
  EXPECT_FALSE(is_listening(server.address()));
}

TEST_F(LineCounterCrash, AfterItsGroupWasToldToStopIsAnEnd) {
  ::kill(server.keeper(), SIGTERM);
  ::kill(server.pid(), SIGKILL);
  server.await_nobody();
}

TEST_F(LineCounterCrash, IsNotSurvivedWithoutAKeeperUntilAnUpgradeBringsOne) {
  ::kill(server.keeper(), SIGKILL);
  await_log("is gone: a crash will not be survived");
  server.upgrade_to(line_counter_newer);
  begin_turns();
  crash_at_rest(SIGKILL);
  end_turns();
}

TEST_F(LineCounterCrash, IsFollowedByAnOrdinaryStop) {
  crash_at_rest(SIGKILL);
  talks.clear();
  ::kill(server.pid(), SIGTERM);
  server.await_nobody();
}

// Each client says lines one after the other, in pieces, and begins again if its connection is reset.
TEST(LineCounterUnderLoad, ACrashCostsAtMostOneConnection) {
  constexpr int clients_max = 4;
  constexpr int crashes_in_a_row_with_connections = 2;
  std::mt19937 random{std::random_device()()};
  for (int round = 0; round < 4; ++round) {
    Example server(line_counter);
    std::atomic<bool> finished = false;
    std::atomic<int> lost = 0;
    std::atomic<unsigned> answers = 0;
    const auto talk = [&](int client) {
      Client socket(server.address());
      const int on = 1;
      ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const std::string text = "client " + std::to_string(client) + " says " + std::string(500, 'x');
      for (int line = 1; !finished; ++line) {
        socket.send(text.substr(0, 100));
        socket.send(text.substr(100) + '\n');
        const std::string wanted = std::to_string(line) + ' ' + text + '\n';
        if (const std::string got = socket.read_exactly(wanted.size()); got != wanted)
          throw Failure("got '" + got + '\'');
        ++answers;
      }
    };
    std::vector<std::future<void>> clients;
    for (int client = 0; client < clients_max; ++client) {
      clients.push_back(std::async(std::launch::async, [&, client] {
        while (!finished) {
          try {
            talk(client);
          } catch (const ConnectionEnded& end) {
            const std::string what = end.what();
            if (what.find("reset") == std::string::npos && what.find("were sent") == std::string::npos) throw;
            ++lost;
          }
        }
      }));
    }
    for (int crash = 0; crash < crashes_in_a_row_with_connections; ++crash) {
      const unsigned before = answers;
      const unsigned some = std::uniform_int_distribution<unsigned>(1, 300)(random);
      await([&] { return answers - before >= some; }, "answers");
      server.crash(round % 2 == 0 ? SIGKILL : SIGSEGV);
    }
    const unsigned before = answers;
    await([&] { return answers - before >= 4 * clients_max; }, "answers after the last crash");
    finished = true;
    for (auto& client : clients) client.get();
    EXPECT_LE(lost, crashes_in_a_row_with_connections);
  }
}

}  // namespace

}  // namespace baton::harness
