#include "proxy/ctl/upgrade_show.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace baton::ctl {
namespace {

// What is printed where standard output is no terminal.
std::string shown(bool quiet, const std::function<void(UpgradeShow&)>& take) {
  testing::internal::CaptureStdout();
  UpgradeShow show(quiet);
  take(show);
  show.end_bar();
  return testing::internal::GetCapturedStdout();
}

std::string canary_event(int left_ms, const std::string& verdict, int failed) {
  return R"({"event":"canary","left_ms":)" + std::to_string(left_ms) + R"(,"canary":{"share":5.0,"verdict":")" +
         verdict + R"(","decided_by":"","text":"","evidence":0.7,"canary":{"exchanges":9,"exposures":9,)" +
         R"("clients_failed":)" + std::to_string(failed) +
         R"(},"others":{"exchanges":99,"exposures":99,"clients_failed":1}}})";
}

TEST(UpgradeShow, FollowsACanaryUntilAllMove) {
  EXPECT_EQ(shown(false,
                  [](UpgradeShow& show) {
                    show.take(R"({"event":"ready"})");
                    show.take(canary_event(30'000, "wait", 0));
                    show.take(canary_event(29'800, "wait", 0));
                    show.take(canary_event(28'900, "doubt", 2));
                    show.take(R"({"event":"moving","left":1,"of":2})");
                    EXPECT_FALSE(show.is_broken() || show.was_recalled());
                  }),
            "the successor is ready\n"
            "canary 5%, wait, 30 s left: 9 requests, 0 clients failed; others 99, 1\n"
            "canary 5%, doubt, 29 s left: 9 requests, 2 clients failed; others 99, 1\n"
            "connections move\n"
            "[###############---------------] 1 of 2 connections have left\n");
}

TEST(UpgradeShow, SaysThatTheCanaryGivesBackWhatItHas) {
  EXPECT_EQ(shown(false,
                  [](UpgradeShow& show) {
                    show.take(canary_event(1'000, "back", 7));
                    show.take(R"({"event":"recalled"})");
                    EXPECT_TRUE(show.was_recalled());
                  }),
            "canary 5%, back, 1 s left: 9 requests, 7 clients failed; others 99, 1\n"
            "the successor gives back what it has\n");
}

TEST(UpgradeShow, PrintsNothingForPrograms) {
  EXPECT_EQ(shown(true, [](UpgradeShow& show) { show.take(canary_event(1'000, "wait", 0)); }), "");
}

TEST(UpgradeShow, TakesACanaryInAnotherFormForNonsense) {
  for (const char* line : {R"({"event":"canary"})", R"({"event":"canary","left_ms":1,"canary":7})",
                           R"({"event":"canary","left_ms":-1,"canary":{}})"}) {
    EXPECT_EQ(shown(false,
                    [&](UpgradeShow& show) {
                      show.take(line);
                      EXPECT_TRUE(show.is_broken()) << line;
                    }),
              "");
  }
}

}  // namespace
}  // namespace baton::ctl
