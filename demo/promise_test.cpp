#include "demo/promise.hpp"

#include <gtest/gtest.h>

namespace baton::demo {
namespace {

using namespace std::chrono_literals;

TEST(Promise, LimitsTheClientsToTheFilesThatMayBeOpen) {
  const std::size_t enough = files_wanted(300, 50);
  EXPECT_EQ(clients_possible(300, 50, enough), 300u);
  EXPECT_EQ(clients_possible(300, 50, 10 * enough), 300u);
  EXPECT_EQ(clients_possible(300, 50, enough - 1), 299u);
  EXPECT_EQ(clients_possible(300, 50, 0), 0u);
}

TEST(Promise, IsKeptByNineTenthsOfTheRate) {
  EXPECT_EQ(shortfall(2700, 3000), "");
  EXPECT_EQ(shortfall(2699, 3000), "this machine reaches 2699 of the 3000 requests/s asked for");
  EXPECT_EQ(shortfall(std::nullopt, 3000), "");
}

TEST(Promise, IsMeasuredFromTheCompleteLoadOn) {
  MeanRate rate;
  const Clock::time_point start{1h};
  EXPECT_EQ(rate.at(start, 1000), std::nullopt);
  rate.begin(start, 1000);
  EXPECT_EQ(rate.at(start + 1999ms, 3000), std::nullopt);
  EXPECT_EQ(rate.at(start + 4s, 5000), 1000.0);
}

}  // namespace
}  // namespace baton::demo
