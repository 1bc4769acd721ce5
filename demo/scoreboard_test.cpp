#include "demo/scoreboard.hpp"

#include <gmock/gmock.h>

#include <limits>
#include <sstream>

#include "demo/promise.hpp"

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
  Scoreboard scoreboard(out, {});
  scoreboard.show(some_view());
  scoreboard.say_bad("FAILED");
  scoreboard.settle(some_view());
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(out.str(), HasSubstr("PID 4321 generation 2: 2999 requests/s"));
  EXPECT_THAT(out.str(), HasSubstr("1 -> 2     4000 -> 4321"));
}

// What a terminal keeps of an output: everything but what was written on the alternate screen.
std::string kept_by_a_terminal(std::string text) {
  const std::string enter = "\x1b[?1049h", leave = "\x1b[?1049l";
  for (std::size_t from = 0; (from = text.find(enter)) != std::string::npos;) {
    const std::size_t to = text.find(leave, from);
    if (to == std::string::npos) return "the alternate screen is never left";
    text.erase(from, to + leave.size() - from);
  }
  return text;
}

TEST(Scoreboard, LeavesNoCopiesInTheScrollback) {
  std::ostringstream out;
  Scoreboard scoreboard(out, {.in_place = true});
  scoreboard.say("above");
  for (int i = 0; i < 100; ++i) scoreboard.show(some_view());
  scoreboard.settle(some_view());
  scoreboard.say("below");
  std::string lines = "above\n";
  for (const std::string& line : board_lines(some_view())) lines += line + "\n";
  lines += "\n";
  for (const std::string& line : moved_table(some_view().upgrades)) lines += line + "\n";
  EXPECT_EQ(kept_by_a_terminal(out.str()), lines + "below\n");
}

TEST(Scoreboard, LeavesTheAlternateScreenWhenItIsBrokenOff) {
  std::ostringstream out;
  {
    Scoreboard scoreboard(out, {.in_place = true});
    scoreboard.show(some_view());
  }
  EXPECT_EQ(kept_by_a_terminal(out.str()), "");
  EXPECT_THAT(out.str(), HasSubstr("\x1b[?25h")) << "the cursor is back";
}

TEST(Scoreboard, UsesColoursOnlyWhereItMay) {
  std::ostringstream out;
  Scoreboard(out, {.in_place = true}).say_good("PASSED");
  EXPECT_EQ(out.str(), "PASSED\n");
  out.str("");
  Scoreboard(out, {.in_place = true, .colour = true}).say_good("PASSED");
  EXPECT_EQ(out.str(), "\x1b[1;32mPASSED\x1b[0m\n");
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

// The cursor is on the line below, and in the column after the last character.
void expect_fits(const View& view, Size size) {
  const auto lines = frame_lines(view, size);
  EXPECT_LT(lines.size(), size.rows);
  for (const std::string& line : lines) EXPECT_LT(line.size(), size.columns) << line;
}

TEST(Scoreboard, FitsOnATerminalWhateverTheNumbers) {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  View view = some_view();
  for (const std::size_t upgrades : {0, 1, 4, 5, 6, 100}) {
    view.upgrades.assign(upgrades, some_view().upgrades[0]);
    expect_fits(view, {});
  }
  view.doing = std::string(1000, 'x');
  view.shortfall = std::string(1000, 'y');
  view.canary = std::string(1000, 'z');
  view.generation = view.reconnects = most;
  view.requests_per_second = 1e300;
  for (Totals& totals : view.clients) {
    totals = {.started = most, .opened = most, .answered = most, .bytes = most, .proven = 0};
  }
  for (Upgrade& upgrade : view.upgrades) {
    upgrade.from_generation = upgrade.report.refused = upgrade.report.moved_total = most;
    upgrade.report.refused_by_reason = {{std::string(500, 'z'), most}};
  }
  for (const std::size_t rows : {1, 2, 10, 23, 24, 25, 60}) {
    for (const std::size_t columns : {1, 40, 80, 200}) expect_fits(view, {rows, columns});
  }
}

TEST(Scoreboard, ShowsTheLastUpgradesWhereThereIsNoRoomForAll) {
  View view = some_view();
  view.upgrades.assign(9, view.upgrades[0]);
  view.upgrades[8].from_generation = 9;
  const auto lines = frame_lines(view, {});
  EXPECT_EQ(lines.size(), 23u);
  EXPECT_THAT(lines.back(), HasSubstr("  9 -> 10 "));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("client p99"))) << "the heading";
}

TEST(Scoreboard, ShowsConnectionsThatAreOpenNow) {
  View view{.upgrades = {}};
  view.clients[index_of({Kind::keep_alive})] = {.started = 10, .opened = 10};
  Totals& newcomers = view.clients[index_of({Kind::newcomer})];
  newcomers = {.started = 1000, .opened = 999, .proven = 995};
  newcomers.trouble[static_cast<std::size_t>(Trouble::not_connected)] = 1;
  newcomers.trouble[static_cast<std::size_t>(Trouble::closed_between)] = 1;
  newcomers.trouble[static_cast<std::size_t>(Trouble::wrong_answer)] = 1;
  EXPECT_THAT(board_lines(view), testing::Contains(HasSubstr("  12 connected now, 2 errors, 1 closed")));
}

TEST(Scoreboard, SaysThatTheLoadIsLessThanPromised) {
  View view = some_view();
  view.shortfall = shortfall(1200, 3000);
  const std::string said = "this machine reaches 1200 of the 3000 requests/s asked for";
  EXPECT_THAT(frame_lines(view, {}), testing::Contains("  note      " + said));
  std::ostringstream out;
  Scoreboard(out, {}).show(view);
  EXPECT_THAT(out.str(), HasSubstr("; " + said));
}

TEST(Scoreboard, SaysWhatACanaryDoes) {
  View view = some_view();
  view.canary = "it has served";
  EXPECT_THAT(frame_lines(view, {}), testing::Contains("  canary    it has served"));
  std::ostringstream out;
  Scoreboard(out, {}).show(view);
  EXPECT_THAT(out.str(), HasSubstr("; canary: it has served\n"));
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
