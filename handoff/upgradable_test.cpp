// Upgradable in a single process, before, between and after upgrades. Successors that adopt are tested in
// integration-tests/examples/.
#include "handoff/upgradable.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace baton::handoff {

namespace {

using testing::Contains;
using testing::HasSubstr;
using namespace std::chrono_literals;

class Calls final : public Service {
 public:
  void accept() override { calls += "accept "; }
  void stop_accepting() override { calls += "stop_accepting "; }
  Result<std::shared_ptr<Movable>> adopt(ReceivedParcel) override { return fail(Fault::refused, "none"); }
  void stop() override { calls += "stop "; }

  std::string calls;
};

class Connection final : public Movable {
 public:
  std::optional<Parcel> freeze() override { return std::nullopt; }
  void resume() override {}
};

struct UpgradableTest : testing::Test {
  UpgradableTest() {
    char name[] = "/tmp/upgradable_test_XXXXXX";
    directory = ::mkdtemp(name);
  }
  ~UpgradableTest() override { std::filesystem::remove_all(directory); }

  UpgradableTerms terms(std::vector<std::string> successor = {"/bin/false"}) {
    return {.arguments = std::move(successor),
            .version = "1",
            .lock = directory + "/lock",
            .pid_file = directory + "/pid",
            .stop_timeout = 1h,
            .log = [this](const std::string& line) { lines.push_back(line); }};
  }
  // Attends until a line with this text has been logged.
  void attend_until(Upgradable& process, const std::string& text) {
    while (lines.empty() || !lines.back().contains(text)) {
      pollfd polled{process.descriptor(), POLLIN, 0};
      ASSERT_EQ(::poll(&polled, 1, 20'000), 1) << "waiting for: " << text;
      process.attend();
    }
  }

  std::string directory;
  std::vector<std::string> lines;
  Calls service;                     // outlives the processes of the tests
};

TEST_F(UpgradableTest, OneProcessAtATimeServes) {
  {
    Upgradable first(terms());
    EXPECT_THROW(Upgradable second(terms()), std::runtime_error);
  }
  EXPECT_NO_THROW(Upgradable third(terms()));
}

TEST_F(UpgradableTest, IsNamedInThePidFileWhileItServes) {
  {
    Upgradable process(terms());
    EXPECT_FALSE(std::filesystem::exists(directory + "/pid"));
    process.serve(service);
    pid_t named = 0;
    std::ifstream(directory + "/pid") >> named;
    EXPECT_EQ(named, ::getpid());
    EXPECT_EQ(service.calls, "accept ");
  }
  EXPECT_FALSE(std::filesystem::exists(directory + "/pid"));
}

TEST_F(UpgradableTest, AsksForAListeningSocketOnce) {
  Upgradable process(terms());
  int made = 0;
  const int socket = process.listener("web", [&] {
    ++made;
    return UniqueFd(::socket(AF_INET, SOCK_STREAM, 0));
  });
  EXPECT_GE(socket, 0);
  EXPECT_EQ(made, 1);
}

TEST_F(UpgradableTest, EndsWhenItsLastConnectionHas) {
  Upgradable process(terms());
  process.serve(service);
  const auto connection = std::make_shared<Connection>();
  process.fleet().add(connection);
  ::kill(::getpid(), SIGTERM);
  attend_until(process, "1 connections are served here to their end");
  EXPECT_EQ(service.calls, "accept stop_accepting stop ");
  EXPECT_FALSE(process.has_ended());
  process.fleet().remove(*connection);
  process.attend_to_the_end();
  EXPECT_EQ(process.exit_code(), 0);
}

TEST_F(UpgradableTest, ASecondSignalEndsItAtOnce) {
  Upgradable process(terms());
  process.serve(service);
  process.fleet().add(std::make_shared<Connection>());
  process.stop();
  EXPECT_FALSE(process.has_ended());
  process.stop();
  EXPECT_TRUE(process.has_ended());
}

TEST_F(UpgradableTest, GoesOnWhenItsSuccessorExitsAndSaysHow) {
  Upgradable process(terms());
  process.serve(service);
  for (int i = 0; i < 3; ++i) {
    ::kill(::getpid(), SIGUSR2);
    attend_until(process, "exited with code 1");
    EXPECT_THAT(lines, Contains(HasSubstr("upgrade: failed: ")));
  }
  EXPECT_FALSE(process.has_ended());
  EXPECT_EQ(service.calls, "accept ");           // the upgrade did not get far enough to stop accepting
}

// Runs as a separate user who may have two tasks: the process and its successor.
TEST_F(UpgradableTest, GoesOnWhenNoThreadCanBeStartedForAnUpgrade) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can be a user with no other task";
  const auto user = static_cast<uid_t>(1'500'000'000 + ::getpid());
  const auto as_that_user = [&] {
    if (::chown(directory.c_str(), user, user) != 0 || ::setresuid(user, user, user) != 0) ::_exit(2);
    Upgradable process(terms());
    process.serve(service);
    rlimit limit{};
    ::getrlimit(RLIMIT_NPROC, &limit);
    const rlimit two{2, limit.rlim_max};
    ::setrlimit(RLIMIT_NPROC, &two);
    process.upgrade();
    const bool failed = lines.back().contains("upgrade: failed: ") && lines.back().contains("this process continues");
    attend_until(process, "the successor that failed");
    ::setrlimit(RLIMIT_NPROC, &limit);
    process.upgrade();
    attend_until(process, "exited with code 1");
    ::_exit(failed && !process.has_ended() ? 0 : 1);
  };
  EXPECT_EXIT(as_that_user(), testing::ExitedWithCode(0), "");
}

// Signal settings as a shell or another parent may have left them.
TEST_F(UpgradableTest, HearsSignalsAndOfItsChildrenAlsoWhereTheyWereIgnored) {
  for (const int ignored : {SIGUSR2, SIGTERM, SIGCHLD}) ::signal(ignored, SIG_IGN);
  Upgradable process(terms());
  process.serve(service);
  ::kill(::getpid(), SIGUSR2);
  attend_until(process, "exited with code 1");
  ::kill(::getpid(), SIGTERM);
  process.attend_to_the_end();
}

TEST_F(UpgradableTest, ATermCallsAnUpgradeOffAndIsObeyed) {
  Upgradable process(terms({"/bin/sleep", "1000"}));         // never sends anything
  process.serve(service);
  process.upgrade();
  process.upgrade();
  EXPECT_THAT(lines.back(), HasSubstr("SIGUSR2 refused"));
  process.stop();
  process.attend_to_the_end();
  EXPECT_THAT(lines, Contains(HasSubstr("failed: told to stop by a signal")));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "the successor is still there";
}

TEST_F(UpgradableTest, DoesNotUpgradeWithALockThatNobodyElseWouldSee) {
  Upgradable process(terms());
  process.serve(service);
  std::filesystem::remove(directory + "/lock");
  process.upgrade();
  EXPECT_THAT(lines.back(), HasSubstr("has been removed"));
}

}  // namespace

}  // namespace baton::handoff
