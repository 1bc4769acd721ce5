// The process of an Upgradable ends in some way. Each test reads what the peer of its one connection receives until that
// is closed. The successor is this program, run with a test that is disabled otherwise.
//
// Servers that survive crashes under load are tested in integration-tests/examples/.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "handoff/survival.hpp"
#include "handoff/upgradable.hpp"

namespace baton::handoff {

namespace {

using testing::HasSubstr;

class Connection final : public Movable {
 public:
  Connection(UniqueFd socket, std::string text) : state(std::move(text)), socket_(std::move(socket)) {}
  std::optional<Parcel> freeze() override { return parcel(); }
  std::optional<Parcel> parcel() const override { return Parcel{.descriptors = {socket_.get()}, .payload = state}; }
  void resume() override {
    if (state == "slow poison") std::abort();
    say("adopted: " + state + '\n');
  }
  void say(const std::string& text) const {
    [[maybe_unused]] const auto sent = ::write(socket_.get(), text.data(), text.size());
  }

  std::string state;

 private:
  UniqueFd socket_;
};

class Server final : public Service {
 public:
  void accept() override {}
  void stop_accepting() override {}
  Result<std::shared_ptr<Movable>> adopt(ReceivedParcel parcel) override {
    if (parcel.payload == "poison") std::abort();
    return std::make_shared<Connection>(std::move(parcel.descriptors.at(0)), parcel.payload);
  }
};

constexpr const char* directory_variable = "SURVIVAL_TEST_DIRECTORY";

UpgradableTerms terms_in(const std::string& directory) {
  return {
      .arguments = {"/proc/self/exe", "--gtest_filter=Successor.DISABLED_GoesOn", "--gtest_also_run_disabled_tests"},
      .version = "1",
      .lock = directory + "/lock",
      .pid_file = directory + "/pid",
      .log = [directory](const std::string& line) { std::ofstream(directory + "/log", std::ios::app) << line << '\n'; },
      .survive_crashes = true};
}

// What the successor runs: it stops when it is the instance.
TEST(Successor, DISABLED_GoesOn) {
  UpgradableTerms terms = terms_in(std::getenv(directory_variable));
  bool is_instance = false;
  terms.log = [&is_instance, log = terms.log](const std::string& line) {
    is_instance = is_instance || line.starts_with("serving");
    log(line);
  };
  Upgradable process(terms);
  Server server;
  process.serve(server);
  while (!process.has_ended() && !is_instance) {
    pollfd polled{process.descriptor(), POLLIN, 0};
    ::poll(&polled, 1, -1);
    process.attend();
  }
  process.stop();
  process.stop();
}

struct Life {
  Upgradable& process;
  Server& server;
  std::shared_ptr<Connection> connection;
};

struct SurvivalTest : testing::Test {
  SurvivalTest() {
    char name[] = "/tmp/survival_test_XXXXXX";
    directory = ::mkdtemp(name);
    ::setenv(directory_variable, directory.c_str(), 1);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  ~SurvivalTest() override { std::filesystem::remove_all(directory); }

  // Everything that the other end gets.
  template <class End>
  std::string received_if(End end) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const UniqueFd ours(ends[0]);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      Upgradable process(terms_in(directory));
      Server server;
      const auto connection = std::make_shared<Connection>(UniqueFd(ends[1]), "begun");
      process.fleet().add(connection);
      process.serve(server);
      end(Life{process, server, connection});
      ::_exit(0);
    }
    ::close(ends[1]);
    std::string all;
    char piece[512];
    for (ssize_t count; (count = ::read(ours.get(), piece, sizeof piece)) > 0;)
      all.append(piece, static_cast<std::size_t>(count));
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    return all;
  }
  std::string log() const {
    std::ifstream file(directory + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool is_pid_file_left() const { return std::filesystem::exists(directory + "/pid"); }

  std::string directory;
};

TEST_F(SurvivalTest, AConnectionGoesOnAsItWasAfterItsLastStep) {
  EXPECT_EQ(received_if([](const Life& life) {
              {
                const Step step(life.process.fleet(), *life.connection);
                life.connection->state = "changed";
              }
              ::raise(SIGKILL);
            }),
            "adopted: changed\n");
  EXPECT_THAT(log(), HasSubstr(" was killed\n"));
  EXPECT_THAT(log(), HasSubstr("1 connections go on, 0 are reset"));
  EXPECT_FALSE(is_pid_file_left());  // the one that went on has withdrawn its own
}

TEST_F(SurvivalTest, TheSignalIsTold) {
  received_if([](const Life&) { ::raise(SIGABRT); });
  EXPECT_THAT(log(), HasSubstr("died of signal " + std::to_string(SIGABRT)));
}

TEST_F(SurvivalTest, AConnectionThatIsInAStepDoesNotGoOn) {
  EXPECT_EQ(received_if([](const Life& life) {
              const Step step(life.process.fleet(), *life.connection);
              ::raise(SIGKILL);
            }),
            "");
  EXPECT_THAT(log(), HasSubstr("0 connections go on, 1 are reset"));
}

TEST_F(SurvivalTest, AnEndInOrderIsNoCrash) {
  EXPECT_EQ(received_if([](const Life& life) { life.process.stop(); }), "");
  EXPECT_EQ(received_if([](const Life&) { std::exit(1); }), "");
  EXPECT_EQ(received_if([](const Life& life) {
              life.process.stop();
              life.process.stop();
              ::raise(SIGKILL);
            }),
            "");
  EXPECT_THAT(log(), Not(HasSubstr("crash")));
}

TEST_F(SurvivalTest, ACrashDuringAnUpgradeEndsWhatHasNotMoved) {
  EXPECT_EQ(received_if([](const Life& life) {
              ::kill(::getpid(), SIGUSR2);
              life.process.attend();
              ::raise(SIGKILL);
            }),
            "");
  EXPECT_THAT(log(), Not(HasSubstr("was killed")));
}

TEST_F(SurvivalTest, AKeeperThatIsKilledIsMissed) {
  EXPECT_EQ(received_if([](const Life& life) {
              for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
                pid_t keeper = 0;
                std::ifstream(task.path() / "children") >> keeper;
                ::kill(keeper, SIGKILL);
              }
              pollfd polled{life.process.descriptor(), POLLIN, 0};
              ::poll(&polled, 1, -1);
              life.process.attend();
              {
                const Step step(life.process.fleet(), *life.connection);
              }
              ::raise(SIGKILL);
            }),
            "");
  EXPECT_THAT(log(), HasSubstr("the keeper, PID "));
  EXPECT_THAT(log(), HasSubstr("is gone"));
}

TEST_F(SurvivalTest, AConnectionThatKillsItsAdopterIsOfferedOnce) {
  for (const char* const way : {"poison", "slow poison"}) {
    EXPECT_EQ(received_if([way](const Life& life) {
                {
                  const Step step(life.process.fleet(), *life.connection);
                  life.connection->state = way;
                }
                ::raise(SIGKILL);
              }),
              "");
    EXPECT_THAT(log(), HasSubstr("0 connections go on, 1 are reset"));
    EXPECT_THAT(log(), HasSubstr("serving: version 1, generation 2, 0 connections"));
    std::filesystem::remove(directory + "/log");
  }
}

TEST_F(SurvivalTest, AProcessWithThreadsHasNoKeeper) {
  std::string said;
  std::promise<void> end;
  std::thread thread([&] { end.get_future().wait(); });
  UpgradableTerms terms = terms_in(directory);
  terms.log = [&](const std::string& line) { said += line; };
  {
    const Upgradable process(terms);
  }
  end.set_value();
  thread.join();
  EXPECT_THAT(said, HasSubstr("a crash will not be survived: the process has threads already"));
}

}  // namespace

}  // namespace baton::handoff
