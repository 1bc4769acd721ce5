#include "proxy/rates/bucket.hpp"

#include <gtest/gtest.h>

namespace baton::rates {
namespace {

constexpr Rate ten_at_once{.interval_us = 100, .burst_us = 1000};

// How many pass at once.
int count_at_once(const Rate& rate, std::int64_t ahead_us = 0) {
  for (int count = 0;; ++count) {
    const Taking taking = take(rate, ahead_us);
    if (!taking.passes) return count;
    ahead_us = taking.ahead_us;
  }
}

TEST(Bucket, LetsABurstPassAndNotOneMore) {
  EXPECT_EQ(count_at_once(ten_at_once), 10);
  EXPECT_EQ(count_at_once({.interval_us = 333'334, .burst_us = 333'334}), 1);
  EXPECT_EQ(count_at_once({.interval_us = 10, .burst_us = 1'000'000}), 100'000);
}

TEST(Bucket, LetsAnotherPassAfterAnIntervalAndNotSooner) {
  const Taking full = take(ten_at_once, 1000);
  EXPECT_FALSE(full.passes);
  EXPECT_EQ(full.wait_us, 100);
  EXPECT_EQ(take(ten_at_once, 901).wait_us, 1);
  EXPECT_FALSE(take(ten_at_once, 901).passes);
  EXPECT_TRUE(take(ten_at_once, 900).passes);
  EXPECT_EQ(take(ten_at_once, 900).ahead_us, 1000);
  EXPECT_EQ(take(ten_at_once, 900).wait_us, 0);
}

TEST(Bucket, IsEmptyOnceItsTimeHasCome) {
  EXPECT_EQ(count_at_once(ten_at_once, 0), 10);
  EXPECT_EQ(count_at_once(ten_at_once, -1), 10);
  EXPECT_EQ(count_at_once(ten_at_once, INT64_MIN), 10) << "no debt is saved up";
}

TEST(Bucket, ThatIsFullerThanTheRateAllowsIsFull) {
  const Taking taking = take(ten_at_once, 1'000'000'000'000);
  EXPECT_FALSE(taking.passes);
  EXPECT_EQ(taking.ahead_us, 1000);
  EXPECT_EQ(taking.wait_us, 100);
}

TEST(Bucket, InTheLongRunPassesWhatTheRateSays) {
  std::int64_t empty_at = 0;
  int passed = 0;
  for (std::int64_t now = 0; now < 1'000'000; now += 7) {
    const Taking taking = take(ten_at_once, empty_at - now);
    if (!taking.passes) continue;
    empty_at = now + taking.ahead_us;
    ++passed;
  }
  EXPECT_LE(passed, 10 + 10'000);
  EXPECT_GE(passed, 10 + 9'999);
}

}  // namespace
}  // namespace baton::rates
