#include "proxy/canary/comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

namespace baton::canary {
namespace {

using state::CanarySide;
using testing::HasSubstr;

constexpr Share five_percent(500);

double log_binomial(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

// By its definition, with other means than the subject.
double by_definition(const Block& block, double odds) {
  const auto n_canary = static_cast<double>(block.exposures_canary),
             n_others = static_cast<double>(block.exposures_others);
  const auto failed = static_cast<double>(block.failed_canary + block.failed_others);
  double alike = 0, worse = 0;
  for (double x = std::max(0.0, failed - n_others); x <= std::min(n_canary, failed); ++x) {
    const double chance = std::exp(log_binomial(n_canary, x) + log_binomial(n_others, failed - x) -
                                   log_binomial(n_canary + n_others, failed));
    alike += chance;
    worse += chance * std::pow(odds, x);
  }
  EXPECT_NEAR(alike, 1, 1e-6);
  return static_cast<double>(block.failed_canary) * std::log(odds) - std::log(worse);
}

TEST(LikelihoodRatioOfABlock, IsThatOfFishersNoncentralHypergeometricDistribution) {
  for (const double odds : {2.0, 3.0, 64.0}) {
    for (const std::uint64_t n_canary : {1, 4, 30}) {
      for (const std::uint64_t n_others : {4, 25, 570}) {
        for (std::uint64_t canary = 0; canary <= n_canary; canary += 1 + n_canary / 5) {
          for (std::uint64_t others = 0; others <= n_others; others += 1 + n_others / 5) {
            const Block block{n_canary, n_others, canary, others};
            EXPECT_NEAR(log_likelihood_ratio(block, odds), by_definition(block, odds), 1e-6)
                << n_canary << ' ' << n_others << ' ' << canary << ' ' << others;
          }
        }
      }
    }
  }
}

TEST(LikelihoodRatioOfABlock, SaysNothingIfEverythingOrNothingFailsOrTheCountsCannotBe) {
  EXPECT_EQ(log_likelihood_ratio({30, 570, 0, 0}, 3), 0);
  EXPECT_EQ(log_likelihood_ratio({30, 570, 30, 570}, 3), 0);
  EXPECT_EQ(log_likelihood_ratio({4, 570, 5, 3}, 3), 0);
  EXPECT_EQ(log_likelihood_ratio({570, 4, 5, 5}, 3), 0);
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max() / 2;
  EXPECT_EQ(log_likelihood_ratio({most, most, 20'000, 20'000}, 3), 0) << "too large to be computed";
  EXPECT_TRUE(std::isfinite(log_likelihood_ratio({most, most, 100, 100}, 3)));
}

TEST(LikelihoodRatioOfABlock, ScalesWhatADoubleCannotHold) {
  const Block alike{20'000, 380'000, 10'000, 190'000};
  EXPECT_LT(log_likelihood_ratio(alike, 3), -1000);
  EXPECT_TRUE(std::isfinite(log_likelihood_ratio(alike, 3)));
  const Block worse{20'000, 380'000, 15'000, 190'000};
  EXPECT_GT(log_likelihood_ratio(worse, 3), 1000);
  EXPECT_TRUE(std::isfinite(log_likelihood_ratio(worse, 3)));
}

TEST(UpperBound, IsThatOfClopperAndPearson) {
  EXPECT_NEAR(upper_bound(0, 299), 1 - std::pow(0.05, 1 / 299.0), 1e-9);
  EXPECT_NEAR(upper_bound(0, 10), 0.2589, 1e-4);
  EXPECT_NEAR(upper_bound(3, 900), 0.0086, 1e-4);
  EXPECT_EQ(upper_bound(0, 0), 1);
  EXPECT_EQ(upper_bound(7, 7), 1);
  for (const std::uint64_t failed : {1, 5, 50}) {
    const double bound = upper_bound(failed, 1000);
    double as_few = 0;
    for (std::uint64_t x = 0; x <= failed; ++x) {
      const auto k = static_cast<double>(x);
      as_few += std::exp(log_binomial(1000, k) + k * std::log(bound) + (1000 - k) * std::log1p(-bound));
    }
    EXPECT_NEAR(as_few, 0.05, 1e-6);
  }
  for (const std::uint64_t huge : {std::uint64_t{10'000'000}, std::numeric_limits<std::uint64_t>::max()}) {
    EXPECT_LE(upper_bound(huge / 2, huge), 1);
    EXPECT_GE(upper_bound(huge / 2, huge), 0.4999);
    EXPECT_GE(upper_bound(0, huge), 0);
  }
}

struct Comparing : testing::Test {
  // Adds what both did since the last look.
  void look(std::uint64_t exposures, std::uint64_t failed, std::uint64_t exposures_others,
            std::uint64_t failed_others) {
    canary = {canary.exchanges + exposures, canary.exposures + exposures, canary.clients_failed + failed};
    others = {others.exchanges + exposures_others, others.exposures + exposures_others,
              others.clients_failed + failed_others};
    comparison.look(canary, others);
  }

  CanarySide canary, others;
  Comparison comparison{five_percent};
};

TEST_F(Comparing, WaitsUntilBakedAndDoubtsWithoutAnything) {
  EXPECT_EQ(comparison.evidence(), 1);
  EXPECT_EQ(comparison.judge(false), Verdict::wait);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt);
  EXPECT_EQ(comparison.text(Verdict::wait), "no client of the canary's share has come so far");
  EXPECT_EQ(comparison.text(Verdict::doubt),
            "no client of the canary's share has come; raise --canary or --bake, or "
            "decide by `baton ctl promote`");
  look(0, 0, 5000, 100);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt) << "however many the others have";
}

TEST_F(Comparing, GoesOnIfTheFailureRateIsLowButOnlyOnceBaked) {
  look(298, 0, 5000, 0);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt);
  look(1, 0, 20, 1);
  EXPECT_EQ(comparison.judge(false), Verdict::wait);
  EXPECT_EQ(comparison.judge(true), Verdict::go_on);
  EXPECT_EQ(comparison.text(Verdict::wait),
            "so far, no clients failed in 299 exchanges on the canary, 1 in 5,020 on the others");
  EXPECT_EQ(comparison.text(Verdict::go_on),
            "no clients failed in 299 exchanges on the canary, 1 in 5,020 on "
            "the others: its failure rate is below 1.00 %");
}

TEST_F(Comparing, GoesBackAtAnyTimeAndThenStaysThere) {
  for (int i = 0; i < 3; ++i) look(1, 1, 20, 0);
  EXPECT_GE(comparison.evidence(), 100);
  EXPECT_EQ(comparison.judge(false), Verdict::back);
  EXPECT_EQ(comparison.judge(true), Verdict::back);
  EXPECT_EQ(comparison.text(Verdict::back),
            "3 clients failed in 3 exchanges on the canary, none in 60 on the "
            "others: 1,100 times likelier if the canary is worse");
  const double evidence = comparison.evidence();
  look(10'000, 0, 200'000, 200'000);
  EXPECT_EQ(comparison.evidence(), evidence);
  EXPECT_EQ(comparison.judge(true), Verdict::back);
}

TEST_F(Comparing, HasTheEvidenceOfTheFormula) {
  look(100, 3, 2000, 12);
  double mean = 0;
  for (const double r : {2, 4, 8, 16, 32, 64}) {
    mean += std::pow(r, 3) / std::pow(1 + five_percent.fraction() * (r - 1), 15) / 6;
  }
  EXPECT_NEAR(comparison.evidence(), mean, 1e-9);
}

TEST_F(Comparing, GoesOnIfBothAreEquallyBad) {
  for (int i = 0; i < 40; ++i) look(20, 1, 380, 19);
  EXPECT_EQ(comparison.judge(true), Verdict::go_on);
  EXPECT_THAT(comparison.text(Verdict::go_on),
              HasSubstr("40 clients failed in 800 exchanges on the canary, 760 in 15,200 "
                        "on the others: that it is three times worse is "
                        "excluded"));
}

TEST_F(Comparing, DoesNotTakeACanaryThatHasNothingToDoForAGoodOne) {
  for (int i = 0; i < 300; ++i) look(i % 60 == 0 ? 1 : 0, i == 60 ? 1 : 0, 380, 19);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt);
}

TEST_F(Comparing, DoesNotTakeACanaryWithBusyClientsThatNeverFailForAGoodOne) {
  for (int i = 0; i < 5; ++i) look(100, 2, 190, 14);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt) << "2 of 16 clients, though the canary has 1 in 20";
}

TEST_F(Comparing, LeavesOutWhatTheOthersDidBeforeTheCanarysClientsCame) {
  look(0, 0, 1000, 500);
  for (int i = 0; i < 2; ++i) look(20, 3, 380, 19);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt) << "three times worse since they came";
}

TEST_F(Comparing, RemembersNoOutageForLong) {
  for (int i = 0; i < 20; ++i) look(20, 10, 380, 190);
  EXPECT_EQ(comparison.judge(true), Verdict::go_on);
  for (int i = 0; i < 10; ++i) look(20, 1, 380, 1);
  EXPECT_EQ(comparison.judge(true), Verdict::doubt);
}

TEST_F(Comparing, CountsASplitLookLikeAWholeOne) {
  Comparison whole = comparison;
  for (int i = 0; i < 7; ++i) look(1, i == 3 ? 1 : 0, 19, i == 5 ? 2 : 0);
  whole.look(canary, others);
  EXPECT_EQ(whole.evidence(), comparison.evidence());
}

TEST_F(Comparing, PassesOverCountsThatCannotBe) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  look(50, 1, 950, 19);
  const double evidence = comparison.evidence();
  comparison.look({}, {});
  EXPECT_EQ(comparison.evidence(), evidence);
  EXPECT_EQ(comparison.canary(), canary);
  comparison.look({.exchanges = 50, .exposures = 50, .clients_failed = 1}, {.exposures = 950, .clients_failed = most});
  EXPECT_EQ(comparison.others().clients_failed, 950);
  Comparison absurd(five_percent);
  absurd.look({most, most, most}, {most, most, most});
  absurd.look({0, most, 0}, {0, 0, most});
  EXPECT_TRUE(std::isfinite(absurd.evidence()));
  for (const Verdict verdict : {Verdict::wait, Verdict::doubt, Verdict::go_on, Verdict::back}) {
    EXPECT_FALSE(absurd.text(verdict).empty());
  }
  Comparison failing(five_percent);
  failing.look({most, most, most}, {0, 0, 0});
  EXPECT_EQ(failing.judge(false), Verdict::back);
  EXPECT_THAT(failing.text(Verdict::back), HasSubstr("over a million times likelier"));
}

TEST_F(Comparing, SaysWhatCouldNotHaveBeenSeen) {
  look(14, 0, 266, 0);
  EXPECT_EQ(comparison.text(Verdict::doubt),
            "no clients failed in 14 exchanges on the canary, none in 266 on the others: a failure rate of up "
            "to 20 % is still possible; raise --canary or --bake, or decide by `baton ctl promote`");
  Comparison one(five_percent);
  one.look({1, 1, 1}, {1, 1, 0});
  EXPECT_THAT(one.text(Verdict::doubt), HasSubstr("1 client failed in 1 exchange on the canary, none in 1 on"));
}

TEST(Verdicts, HaveTheNamesOfTheRecord) {
  EXPECT_EQ(name_of(Verdict::wait), "wait");
  EXPECT_EQ(name_of(Verdict::doubt), "doubt");
  EXPECT_EQ(name_of(Verdict::go_on), "go_on");
  EXPECT_EQ(name_of(Verdict::back), "back");
}

}  // namespace
}  // namespace baton::canary
