#include "proxy/supervisor/crash_streak.hpp"

#include <gtest/gtest.h>

#include "proxy/supervisor/terms.hpp"

namespace baton::supervisor {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t well = milliseconds(lives_well).count();

// The pause after another crash of a service that began at `from`.
milliseconds crash(CrashStreak& streak, std::int64_t from, std::int64_t at) {
  streak.service_begins(from);
  streak.service_ends(at);
  streak.add();
  return streak.pause();
}

TEST(CrashStreak, PausesLongerEachTimeUntilItIsTooLong) {
  CrashStreak streak;
  std::int64_t now = 1'000'000;
  for (const int pause_s : {0, 1, 2, 4}) {
    EXPECT_EQ(crash(streak, now, now + well - 1), milliseconds(pause_s * 1000));
    EXPECT_FALSE(streak.is_too_long());
    now += well + 4000;
  }
  crash(streak, now, now + 1);
  EXPECT_TRUE(streak.is_too_long());
}

TEST(CrashStreak, IsOverOnceAServiceHasLivedWell) {
  CrashStreak streak;
  for (std::int64_t now = 0; now < 10; ++now) crash(streak, now, now + 1);
  EXPECT_TRUE(streak.is_too_long());
  EXPECT_EQ(crash(streak, 100, 100 + well), milliseconds(0));
  EXPECT_FALSE(streak.is_too_long());
  EXPECT_EQ(crash(streak, 100 + well, 101 + well), milliseconds(1000));
}

// A crash during an upgrade that the other process survives: no replacement starts, and the service counts as new.
TEST(CrashStreak, CountsTheTimeFromTheLastCrashIfNothingWasStarted) {
  CrashStreak streak;
  EXPECT_EQ(crash(streak, 0, well), milliseconds(0));
  streak.service_ends(well + 1);
  streak.add();
  EXPECT_EQ(streak.pause(), milliseconds(1000));
}

}  // namespace
}  // namespace baton::supervisor
