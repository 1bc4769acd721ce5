// The whole demo with a stand-in for baton that does everything right, or one thing wrong.
#include "demo/demo.hpp"

#include <gmock/gmock.h>
#include <pthread.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "demo/contrast.hpp"
#include "demo/groups.hpp"
#include "demo/nginx.hpp"
#include "demo/origin.hpp"
#include "demo/process.hpp"
#include "demo/temp_dir.hpp"

namespace baton::demo {
namespace {

using testing::HasSubstr;
using testing::Not;

class Demo : public testing::Test {
 protected:
  Demo() {
    options_ = {.upgrades = 2,
                .clients = 40,
                .requests_per_second = 1000,
                .seconds_between_upgrades = 0.1,
                .binary = FAKE_BATON,
                .no_nginx = true};
    ::setenv("TMPDIR", scratch_.path().c_str(), 1);
  }
  ~Demo() override {
    ::unsetenv("FAKE_BATON_FAULT");
    ::unsetenv("TMPDIR");
    EXPECT_TRUE(std::filesystem::is_empty(scratch_.path())) << "files are left";
    EXPECT_FALSE(has_children()) << "processes are left";
  }

  int run(const char* fault) {
    ::setenv("FAKE_BATON_FAULT", fault, 1);
    const int code = demo::run(options_, output_, {});
    EXPECT_EQ(code == 0, output_.str().find("PASSED") != std::string::npos) << output_.str();
    return code;
  }

  static bool has_children() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      pid_t child = 0;
      if (std::ifstream(task.path() / "children") >> child) return true;
    }
    return false;
  }

  TempDir scratch_;
  Options options_;
  std::ostringstream output_;
};

TEST_F(Demo, PassesWhenNothingGoesWrong) {
  EXPECT_EQ(run(""), 0) << output_.str();
  EXPECT_THAT(output_.str(), HasSubstr("2 live upgrades; 40 connections lived through all of them"));
  EXPECT_THAT(output_.str(), HasSubstr("2 -> 3"));
}

TEST_F(Demo, PassesWhenACrashCostsEachThreadAConnection) {
  EXPECT_EQ(run("resets 2"), 0) << output_.str();
  EXPECT_THAT(output_.str(), HasSubstr("38 of 40 connections went on, 2 noticed"));
  EXPECT_THAT(output_.str(), HasSubstr("; pause 2 ms"));
}

TEST_F(Demo, FailsWhenACrashCostsMore) {
  EXPECT_EQ(run("resets 3"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("The death of a process with 2 threads cost 3 connections."));
}

TEST_F(Demo, FailsWhenACrashEndsAConnectionLikeAMessage) {
  EXPECT_EQ(run("ends_in_crash"), 1);
  EXPECT_THAT(output_.str(), HasSubstr(" clients saw their connection "));
}

TEST_F(Demo, FailsWhenNothingSucceedsAKilledProcess) {
  options_.upgrades = 0;
  options_.upgrade_timeout_seconds = 1;
  EXPECT_EQ(run("stays_dead"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("was killed: no successor answers on the admin socket"));
}

TEST_F(Demo, FailsWhenTheSuccessorDoesNotReportTheCrash) {
  EXPECT_EQ(run("forgets_the_dead"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("the successor does not report the death of"));
}

TEST_F(Demo, FailsWhenMoreConnectionsWereAcceptedThanOpened) {
  EXPECT_EQ(run("miscounts"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("The proxy accepted "));
}

TEST_F(Demo, EndsWithACanaryThatIsCalledBack) {
  EXPECT_EQ(run(""), 0) << output_.str();
  EXPECT_THAT(output_.str(),
              testing::ContainsRegex("A successor that failed 1 request in 50 was tried by [0-9]+ of 80 clients"));
}

TEST_F(Demo, FailsWhenTheCanaryGoesOn) {
  EXPECT_EQ(run("promotes"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("The canary was not called back: it completed, although it had to fail."));
}

TEST_F(Demo, FailsWhenTheComparisonDidNotDecide) {
  EXPECT_EQ(run("called_back_by_command"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("The canary was not called back by the comparison"));
}

TEST_F(Demo, FailsWhenAnotherThanTheCanaryFails) {
  EXPECT_EQ(run("fails_others"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("1 asking clients saw a failure that was not the canary's."));
}

TEST_F(Demo, FailsWhenConnectionsDoNotComeBackFromTheCanary) {
  options_.upgrade_timeout_seconds = 1;
  EXPECT_EQ(run("keeps_some"), 1);
  EXPECT_THAT(output_.str(), HasSubstr(" connections did not come back from the canary."));
}

TEST_F(Demo, FailsWhenAnAskingClientIsDroppedOnTheWayBack) {
  EXPECT_EQ(run("drops_on_the_way_back /asked/ plain"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("1 of 80 asking clients saw "));
}

TEST_F(Demo, FailsWhenAnOrdinaryClientIsDroppedOnTheWayBack) {
  EXPECT_EQ(run("drops_on_the_way_back /websocket/ TLSv1.2"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("1 of 1 " + name_of({Kind::websocket, Transport::tls12}) + " clients saw "));
}

// A stand-in's fault on one connection of a kind, right after the upgrade.
struct Wrong {
  const char* name;
  Group group;
  const char* connection;  // the stand-in's name for it
};

class DemoOfAKind : public Demo, public testing::WithParamInterface<Wrong> {
 protected:
  void expect_noticed(const std::string& fault) {
    options_.upgrades = 1;
    EXPECT_EQ(run((fault + " " + GetParam().connection).c_str()), 1);
    const std::string name = name_of(GetParam().group);
    EXPECT_THAT(output_.str(), testing::ContainsRegex("  1 of [0-9]+ " + name + " clients (saw|got) "))
        << output_.str();
  }
};

TEST_P(DemoOfAKind, FailsWhenOneByteIsAltered) {
  expect_noticed("corrupts");
}

TEST_P(DemoOfAKind, FailsWhenOneByteIsLost) {
  expect_noticed("loses");
}

TEST_P(DemoOfAKind, FailsWhenOneByteComesTwice) {
  expect_noticed("doubles");
}

TEST_P(DemoOfAKind, FailsWhenOneConnectionIsClosed) {
  expect_noticed("drops");
}

INSTANTIATE_TEST_SUITE_P(
    Each, DemoOfAKind,
    testing::Values(Wrong{"KeepAlive", {Kind::keep_alive}, "/client/1/ plain"},
                    Wrong{"Download", {Kind::download}, "/download/ plain"},
                    Wrong{"SlowReader", {Kind::slow_reader}, "/flood/ plain"},
                    Wrong{"Events", {Kind::events}, "/events/ plain"},
                    Wrong{"Upload", {Kind::upload}, "/upload/ plain"},
                    Wrong{"WebSocket", {Kind::websocket}, "/websocket/ plain"},
                    Wrong{"Http2", {Kind::http2}, "http2 plain"},
                    Wrong{"Http2OverTls13", {Kind::http2, Transport::tls13}, "http2 TLSv1.3"},
                    Wrong{"Grpc", {Kind::grpc}, "grpc plain"},
                    Wrong{"GrpcOverTls13", {Kind::grpc, Transport::tls13}, "grpc TLSv1.3"},
                    Wrong{"RawTcp", {Kind::raw_tcp}, "tcp plain"},
                    Wrong{"UploadOverTls13", {Kind::upload, Transport::tls13}, "/upload/ TLSv1.3"},
                    Wrong{"WebSocketOverTls12", {Kind::websocket, Transport::tls12}, "/websocket/ TLSv1.2"},
                    Wrong{"RawTcpOverTls13", {Kind::raw_tcp, Transport::tls13}, "tcp TLSv1.3"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(Demo, FailsWhenAnUpgradeIsRolledBack) {
  EXPECT_EQ(run("rolls_back"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("the old process reports: rolled_back"));
  EXPECT_THAT(output_.str(), Not(HasSubstr("saw their connection closed")));
}

TEST_F(Demo, FailsWhenTheOldProcessLingers) {
  options_.upgrade_timeout_seconds = 1;
  EXPECT_EQ(run("lingers"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("the old process did not end within 1 s"));
}

TEST_F(Demo, FailsWhenTheGenerationStays) {
  EXPECT_EQ(run("keeps_generation"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("the generation is 1 after 1"));
}

TEST_F(Demo, FailsWhenThePidFileNamesAnotherProcess) {
  EXPECT_EQ(run("changes_pid_file"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("the PID file names"));
}

TEST_F(Demo, ShowsTheLogWhenTheProxyDoesNotStart) {
  EXPECT_EQ(run("does_not_start"), 1);
  EXPECT_THAT(output_.str(), HasSubstr("the proxy ended before it was ready: exit code 1"));
  EXPECT_THAT(output_.str(), HasSubstr("fake baton: listeners.yaml:1:1: nothing here is right"));
}

TEST_F(Demo, SaysThatABinaryIsMissing) {
  options_.binary = "/nonexistent/baton";
  EXPECT_EQ(run(""), 1);
  EXPECT_THAT(output_.str(), HasSubstr("cannot start /nonexistent/baton"));
}

TEST_F(Demo, FailsWithoutAnUpgrade) {
  options_.upgrades = 0;
  EXPECT_EQ(run(""), 1);
  EXPECT_THAT(output_.str(), HasSubstr("Without an upgrade nothing is shown"));
}

TEST_F(Demo, CountsWhatAReloadOfNginxCloses) {
  const auto nginx = find_nginx();
  if (!nginx) GTEST_SKIP() << "nginx is not installed";
  Patience patience;
  TempDir dir;
  Household household;
  Origin origin;
  const Mix mix{.keep_alive = 24, .idle = 3, .half_head = 3, .pause = Microseconds{80'000}};
  const Contrast contrast = reload_nginx(*nginx, origin.endpoints().http, mix, dir, patience, hung_after);
  EXPECT_EQ(contrast.before.opened, 30u);
  EXPECT_EQ(contrast.before.closes() + contrast.before.errors(), 0u);
  EXPECT_GE(contrast.after.closes(), 20u);
  EXPECT_THAT(contrast.version, HasSubstr("nginx/"));
}

// The signal is pending before the demo begins, blocked as the demo itself blocks it, so the demo's first wait gets it.
TEST_F(Demo, EndsAtASignalAndLeavesNothingBehind) {
  sigset_t interrupt;
  sigset_t before;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupt, &before);
  pthread_kill(pthread_self(), SIGINT);
  EXPECT_EQ(run(""), 128 + SIGINT);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace baton::demo
