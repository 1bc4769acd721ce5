#include "proxy/state/crashes.hpp"

#include <gtest/gtest.h>

namespace baton::state {
namespace {

Crash crash_at(std::int64_t unix_us) {
  Crash crash;
  crash.at_unix_us = unix_us;
  crash.whole = 10;
  crash.lost = 1;
  return crash;
}

TEST(Crashes, AreInARowAsLongAsTheyFollowEachOtherSoon) {
  constexpr std::int64_t soon = crashes_in_a_row_within_us - 1;
  Crashes crashes;
  std::int64_t now = 1'700'000'000'000'000;
  EXPECT_EQ(crashes.in_a_row_at(now), 1u);
  crashes.add(crash_at(now));
  crashes.add(crash_at(now += soon));
  EXPECT_EQ(crashes.in_a_row, 2u);
  EXPECT_EQ(crashes.in_a_row_at(now + soon), 3u);
  EXPECT_EQ(crashes.in_a_row_at(now + crashes_in_a_row_within_us), 1u);
  crashes.add(crash_at(now + crashes_in_a_row_within_us));
  EXPECT_EQ(crashes.in_a_row, 1u);
  EXPECT_EQ(crashes.total, 3u);
  EXPECT_EQ(crashes.whole_total, 30u);
  EXPECT_EQ(crashes.lost_total, 3u);
}

}  // namespace
}  // namespace baton::state
