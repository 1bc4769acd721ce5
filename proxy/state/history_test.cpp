#include "proxy/state/history.hpp"

#include <gtest/gtest.h>

namespace baton::state {
namespace {

constexpr std::int64_t begin_ms = 1'700'000'000'000;

TEST(History, KeepsTheLastHour) {
  History history;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const std::int64_t slot = begin_ms + static_cast<std::int64_t>(i) * History::every_ms;
    EXPECT_TRUE(history.is_due(slot));
    history.add(slot, {.requests = i}, {i, 0});
    EXPECT_FALSE(history.is_due(slot));
  }
  ASSERT_EQ(history.samples().size(), History::samples_max);
  EXPECT_EQ(history.samples().front().requests, 40u);
  EXPECT_EQ(history.samples().back().requests, 399u);
  EXPECT_EQ(history.until_ms(), begin_ms + 399 * History::every_ms);
  EXPECT_EQ(history.totals().requests, 399u);
}

TEST(History, ShowsTimesWithoutAProcessAsUnknown) {
  History history;
  history.add(begin_ms, {.requests = 1}, {});
  history.add(begin_ms + 3 * History::every_ms, {.requests = 2}, {});
  ASSERT_EQ(history.samples().size(), 4u);
  EXPECT_TRUE(history.samples()[0].is_known);
  EXPECT_FALSE(history.samples()[1].is_known);
  EXPECT_FALSE(history.samples()[2].is_known);
  EXPECT_TRUE(history.samples()[3].is_known);
  history.add(begin_ms + 100'000 * History::every_ms, {.requests = 3}, {});
  ASSERT_EQ(history.samples().size(), History::samples_max);
  EXPECT_FALSE(history.samples().front().is_known);
  EXPECT_TRUE(history.samples().back().is_known);
}

TEST(History, GoesOnWhenTheClockIsSetBack) {
  History history;
  history.add(begin_ms, {.requests = 1}, {});
  const std::int64_t before = begin_ms - 60 * History::every_ms;
  ASSERT_TRUE(history.is_due(before));
  history.add(before, {.requests = 2}, {});
  EXPECT_EQ(history.until_ms(), before);
  ASSERT_EQ(history.samples().size(), 2u);
  EXPECT_EQ(history.samples().back().requests, 2u);
}

TEST(History, OfANeighbourIsNoLongerThanAnHour) {
  EXPECT_EQ(History::of(begin_ms, std::vector<Sample>(1000), {}).samples().size(), History::samples_max);
  EXPECT_EQ(History::of(begin_ms + 1, std::vector<Sample>(1), {}).until_ms(), begin_ms);
  EXPECT_EQ(History::of(-1, std::vector<Sample>(1), {}), History());
}

}  // namespace
}  // namespace baton::state
