#include "demo/latency.hpp"

#include <gtest/gtest.h>

namespace baton::demo {
namespace {

TEST(Latency, IsZeroWithoutAnyCount) {
  EXPECT_EQ(LatencySpread{}.at(0.99), Microseconds{0});
}

TEST(Latency, NeverReadsBelowTheTruthNorMuchAbove) {
  for (std::int64_t truth = 0; truth < 60'000'000; truth += 1 + truth / 7) {
    LatencyRecorder recorder;
    recorder.add(Microseconds{truth});
    const auto read = recorder.spread().at(0.5).count();
    EXPECT_GE(read, truth);
    EXPECT_LE(read, truth + truth / 16);
  }
}

TEST(Latency, KeepsWhatIsBeyondItsRangeInTheLastBucket) {
  LatencyRecorder recorder;
  recorder.add(std::chrono::hours{1});
  EXPECT_EQ(recorder.spread().count(), 1u);
  EXPECT_GT(recorder.spread().at(1), std::chrono::seconds{60});
}

TEST(Latency, FindsQuantiles) {
  LatencyRecorder recorder;
  for (int i = 0; i < 99; ++i) recorder.add(Microseconds{10});
  recorder.add(Microseconds{5000});
  EXPECT_EQ(recorder.spread().at(0.5), Microseconds{10});
  EXPECT_EQ(recorder.spread().at(0.99), Microseconds{10});
  EXPECT_GE(recorder.spread().at(1), Microseconds{5000});
}

TEST(Latency, TheDifferenceIsWhatCameInBetween) {
  LatencyRecorder recorder;
  recorder.add(Microseconds{5000});
  const LatencySpread earlier = recorder.spread();
  recorder.add(Microseconds{7});
  EXPECT_EQ(recorder.spread().since(earlier).count(), 1u);
  EXPECT_EQ(recorder.spread().since(earlier).at(1), Microseconds{7});
}

}  // namespace
}  // namespace baton::demo
