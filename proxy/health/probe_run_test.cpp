#include "proxy/health/probe_run.hpp"

#include <gtest/gtest.h>

namespace baton::health {
namespace {

using state::Health;

constexpr ProbeRun::Terms terms{.up = 2, .down = 3};

TEST(ProbeRun, TheFirstProbeOfAnUnknownServerDecides) {
  EXPECT_EQ(ProbeRun().note(true, Health::unknown, terms), Health::up);
  EXPECT_EQ(ProbeRun().note(false, Health::unknown, terms), Health::down);
}

TEST(ProbeRun, SoManyInARowChangeTheVerdict) {
  ProbeRun run;
  EXPECT_EQ(run.note(false, Health::up, terms), std::nullopt);
  EXPECT_EQ(run.note(false, Health::up, terms), std::nullopt);
  EXPECT_EQ(run.note(true, Health::up, terms), std::nullopt) << "a good one between them";
  EXPECT_EQ(run.note(false, Health::up, terms), std::nullopt);
  EXPECT_EQ(run.note(false, Health::up, terms), std::nullopt);
  EXPECT_EQ(run.note(false, Health::up, terms), Health::down);
  EXPECT_EQ(run.in_a_row(), 3u);
  EXPECT_EQ(run.note(false, Health::down, terms), std::nullopt);
  EXPECT_EQ(run.note(true, Health::down, terms), std::nullopt);
  EXPECT_EQ(run.note(false, Health::down, terms), std::nullopt);
  EXPECT_EQ(run.note(true, Health::down, terms), std::nullopt);
  EXPECT_EQ(run.note(true, Health::down, terms), Health::up);
  EXPECT_EQ(run.in_a_row(), 2u);
}

// As after an upgrade: the verdict is inherited, the count is not.
TEST(ProbeRun, AnInheritedVerdictNeedsAsManyProbesAsAnyOther) {
  EXPECT_EQ(ProbeRun().note(true, Health::down, terms), std::nullopt);
  EXPECT_EQ(ProbeRun().note(false, Health::up, terms), std::nullopt);
}

}  // namespace
}  // namespace baton::health
