#include "proxy/routing/split.hpp"

#include <gtest/gtest.h>

#include <map>

namespace baton::routing {
namespace {

std::vector<Share> split_of(const std::vector<std::int64_t>& weights) {
  std::vector<Share> split;
  for (const std::int64_t weight : weights) split.push_back({std::to_string(split.size()), split.size(), weight});
  return split;
}

TEST(Split, GivesEachItsWeightInEveryRound) {
  const auto split = split_of({95, 5, 0, 13});
  Turns turns;
  for (int round = 0; round < 3; ++round) {
    std::map<std::string, std::int64_t> got;
    for (int i = 0; i < 113; ++i) ++got[next_share(split, turns).upstream];
    EXPECT_EQ(got, (std::map<std::string, std::int64_t>{{"0", 95}, {"1", 5}, {"3", 13}}));
  }
}

// At any time each is within one request of its share, or two where many upstreams compete.
TEST(Split, MixesThemEvenly) {
  const std::vector<std::int64_t> weights{90, 9, 1};
  const auto split = split_of(weights);
  Turns turns;
  std::vector<double> got(weights.size());
  for (int i = 1; i <= 1000; ++i) {
    ++got[next_share(split, turns).upstream_index];
    for (std::size_t k = 0; k < weights.size(); ++k) {
      EXPECT_NEAR(got[k], i * static_cast<double>(weights[k]) / 100, 2.0) << "after " << i << " requests";
    }
  }
}

TEST(Split, FindsTheOneThatARequestHas) {
  const auto split = split_of({1, 0});
  EXPECT_EQ(find_share(split, "1"), &split[1]) << "a weight of 0 takes no new requests, and keeps those it has";
  EXPECT_EQ(find_share(split, "2"), nullptr);
}

}  // namespace
}  // namespace baton::routing
