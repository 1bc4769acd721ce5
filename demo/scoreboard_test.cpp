#include "demo/scoreboard.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

namespace baton::demo {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

View some_view() {
  View view{.doing = "upgrade 2 of 5 is running", .pid = 4321, .generation = 2, .clients = 300};
  view.totals.opened = 300;
  view.totals.answered = 12345;
  view.requests_per_second = 2998.6;
  Upgrade upgrade{.from_generation = 1, .from_pid = 4000, .to_pid = 4321};
  upgrade.report.duration_ms = 41;
  upgrade.report.moved_total = 299;
  upgrade.report.pause_us.p99 = 1234;
  view.upgrades.push_back(upgrade);
  return view;
}

TEST(Scoreboard, WritesPlainLinesWithoutControlCharacters) {
  std::ostringstream out;
  Scoreboard scoreboard(out, false);
  scoreboard.show(some_view());
  scoreboard.say_bad("FAILED");
  scoreboard.settle(some_view());
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(out.str(), HasSubstr("PID 4321 generation 2: 2999 requests/s"));
  EXPECT_THAT(out.str(), HasSubstr("1 -> 2     4000 -> 4321"));
}

TEST(Scoreboard, RedrawsExactlyTheLinesThatItDrew) {
  std::ostringstream out;
  Scoreboard scoreboard(out, true);
  scoreboard.show(some_view());
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b[")));
  const auto lines = std::ranges::count(out.str(), '\n');
  scoreboard.show(some_view());
  EXPECT_THAT(out.str(), HasSubstr("\x1b[" + std::to_string(lines) + "A"));
}

TEST(Scoreboard, LeavesTheSettledBoardAlone) {
  std::ostringstream out;
  Scoreboard scoreboard(out, true);
  scoreboard.settle(some_view());
  out.str("");
  scoreboard.say("below");
  EXPECT_EQ(out.str(), "below\n");
}

TEST(Scoreboard, TellsWhatCouldNotBeMoved) {
  Upgrade upgrade{.from_generation = 1};
  EXPECT_EQ(upgrade_table({upgrade}).size(), 2u);
  upgrade.report.refused = 3;
  EXPECT_THAT(upgrade_table({upgrade}).back(), HasSubstr("0 taken back, 3 refused"));
}

TEST(Scoreboard, FitsIntoEightyColumns) {
  for (const std::string& line : board_lines(some_view())) EXPECT_LT(line.size(), 80u) << line;
}

TEST(Scoreboard, ShowsWhyAnUpgradeFailed) {
  Upgrade upgrade{.from_generation = 3, .from_pid = 7, .to_pid = 0};
  upgrade.failure = "the old process did not end";
  EXPECT_THAT(upgrade_table({upgrade}).back(), HasSubstr("FAILED: the old process did not end"));
}

TEST(LastSecond, ForgetsWhatIsOlder) {
  LastSecond last;
  const Clock::time_point start{};
  LatencyRecorder recorder;
  EXPECT_EQ(last.requests_per_second(), 0);
  for (unsigned tenth = 0; tenth <= 50; ++tenth) {
    // A hundred at once in the first tenth, then one in each.
    last.sample(start + tenth * 100ms, tenth == 0 ? 0 : 100 + tenth, recorder.spread());
    recorder.add(Microseconds{tenth < 20 ? 900'000 : 10});
  }
  EXPECT_DOUBLE_EQ(last.requests_per_second(), 10);
  EXPECT_EQ(last.latency().at(1), Microseconds{10});
}

}  // namespace
}  // namespace baton::demo
