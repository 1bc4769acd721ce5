#include "proxy/routing/retry_budget.hpp"

#include <gtest/gtest.h>

namespace baton::routing {
namespace {

unsigned taken(RetryBudget& budget, std::int64_t now_ms, unsigned percent) {
  unsigned taken = 0;
  while (taken < 1'000 && budget.take(now_ms, percent)) ++taken;
  return taken;
}

TEST(RetryBudget, AllowsAFewEvenWithoutRequests) {
  RetryBudget budget;
  EXPECT_EQ(taken(budget, 5'000, 20), RetryBudget::floor);
  EXPECT_EQ(taken(budget, 14'999, 20), 0U);
  EXPECT_EQ(taken(budget, 15'000, 20), RetryBudget::floor) << "ten seconds later";
}

TEST(RetryBudget, AllowsAShareOfTheRequestsOfTenSeconds) {
  RetryBudget budget;
  for (int i = 0; i < 100; ++i) budget.note_request(1'000 + 90 * i);
  EXPECT_EQ(taken(budget, 10'000, 20), 20U);
  EXPECT_EQ(taken(budget, 10'999, 20), 0U);
  EXPECT_EQ(taken(budget, 30'000, 20), RetryBudget::floor) << "the requests are forgotten";
}

}  // namespace
}  // namespace baton::routing
