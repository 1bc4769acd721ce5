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
  View view{.doing = "upgrade 2 of 5 is running", .pid = 4321, .generation = 2};
  for (Totals& totals : view.clients) {
    totals = {.started = 30000, .opened = 30000, .answered = 1234567, .bytes = 123'456'789'012, .proven = 30000};
  }
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
  const View view = some_view();
  for (const auto& lines : {board_lines(view), moved_table(view.upgrades), kinds_table(view.clients)}) {
    for (const std::string& line : lines) EXPECT_LT(line.size(), 80u) << line;
  }
}

TEST(Scoreboard, FitsIntoTwentyFourLinesWithFiveUpgrades) {
  View view = some_view();
  view.upgrades.resize(5, view.upgrades[0]);
  EXPECT_LT(board_lines(view).size(), 24u);
}

TEST(Scoreboard, TellsWhatMovedInWhichState) {
  Upgrade upgrade{.from_generation = 4};
  upgrade.report.moved = {{"idle", 11}, {"head", 12}, {"exchange", 13}, {"tunnel", 14}};
  upgrade.report.upstream_idle_moved = 15;
  EXPECT_EQ(moved_table({upgrade}).back(),
            "  4 -> 5         11     12        13      14        0            15           0");
}

TEST(Scoreboard, NamesEveryKind) {
  const auto lines = kinds_table(some_view().clients);
  ASSERT_EQ(lines.size(), 1 + kinds);
  for (std::size_t i = 0; i < kinds; ++i) {
    EXPECT_THAT(lines[1 + i], HasSubstr(name_of(kinds_played[i])));
    EXPECT_THAT(lines[1 + i], HasSubstr("30000 of 30000  30000 of 30000  30000 of 30000"));
  }
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
    // A hundred slow requests at once in the first tenth, then a fast one in each.
    last.sample(start + tenth * 100ms, recorder.spread());
    for (unsigned i = 0; i < (tenth == 0 ? 100 : 1); ++i) recorder.add(Microseconds{tenth < 20 ? 900'000 : 10});
  }
  EXPECT_DOUBLE_EQ(last.requests_per_second(), 10);
  EXPECT_EQ(last.latency().at(1), Microseconds{10});
}

}  // namespace
}  // namespace baton::demo
