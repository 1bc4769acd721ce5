#include "config/scalars.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace baton::config {
namespace {

constexpr Bounds any{.least = 0, .most = std::numeric_limits<std::uint64_t>::max()};

TEST(Scalars, ReadsCounts) {
  EXPECT_EQ(parse_count("0", any), 0u);
  EXPECT_EQ(parse_count("18446744073709551615", any), std::numeric_limits<std::uint64_t>::max());
}

TEST(Scalars, ReadsSharesInHundredthsOfAPercent) {
  constexpr Bounds all{.least = 1, .most = 10'000};
  EXPECT_EQ(parse_share("5%", all), 500u);
  EXPECT_EQ(parse_share("0.5%", all), 50u);
  EXPECT_EQ(parse_share("0.01%", all), 1u);
  EXPECT_EQ(parse_share("100.00%", all), 10'000u);
  for (const char* text : {"", "%", "5", ".5%", "5.%", "0%", "0.001%", "100.01%", "-1%", "5 %", "5%%", "x%"}) {
    EXPECT_FALSE(parse_share(text, all)) << text;
  }
  for (const int share : {1, 25, 50, 500, 1'250, 9'999, 10'000}) {
    EXPECT_EQ(parse_share(share_text(static_cast<std::uint64_t>(share)), all), share);
  }
}

TEST(Scalars, ReadsSizesInBytesAndUnitsOf1024) {
  EXPECT_EQ(parse_size("512", any), 512u);
  EXPECT_EQ(parse_size("64k", any), 65536u);
  EXPECT_EQ(parse_size("64K", any), 65536u);
  EXPECT_EQ(parse_size("1m", any), 1048576u);
  EXPECT_EQ(parse_size("2g", any), 2147483648u);
}

TEST(Scalars, ReadsDurations) {
  EXPECT_EQ(parse_duration("500ms", any), Milliseconds(500));
  EXPECT_EQ(parse_duration("5s", any), Milliseconds(5'000));
  EXPECT_EQ(parse_duration("1m", any), Milliseconds(60'000));
  EXPECT_EQ(parse_duration("1h", any), Milliseconds(3'600'000));
  EXPECT_EQ(parse_duration("0", any), Milliseconds(0));
  EXPECT_EQ(parse_duration("0ms", any), Milliseconds(0));
}

TEST(Scalars, WantsAUnitForADuration) {
  EXPECT_EQ(parse_duration("5", any).error(), "`5` needs a unit: 500ms, 5s, 1m or 1h");
}

TEST(Scalars, RefusesWhatIsNoWholeNumber) {
  for (const char* text : {"", "-1", "+1", "1.5", "1,5", " 1", "x", "k", "1kk", "1 k", "0x10", "1e3", "inf", "1d"}) {
    EXPECT_FALSE(parse_count(text, any)) << text;
    EXPECT_FALSE(parse_size(text, any)) << text;
    EXPECT_FALSE(parse_duration(text, any)) << text;
  }
  EXPECT_EQ(parse_count("-1", any).error(), "`-1` must not be negative");
  EXPECT_EQ(parse_size("1.5k", any).error(), "`1.5k` must be a whole number");
  EXPECT_EQ(parse_count("64k", any).error(), "`64k` must be a plain number without a unit");
}

TEST(Scalars, RefusesOverflowOfTheNumberAndOfItsUnit) {
  EXPECT_FALSE(parse_count("18446744073709551616", any));
  EXPECT_FALSE(parse_size("18446744073709551615k", any));
  EXPECT_FALSE(parse_size("17179869184g", any));
  EXPECT_FALSE(parse_duration("18446744073709551615h", any));
}

TEST(Scalars, BothBoundsAreAllowedAndNothingBeyondThem) {
  constexpr Bounds bounds{.least = 1024, .most = 2048};
  EXPECT_TRUE(parse_size("1024", bounds));
  EXPECT_TRUE(parse_size("2k", bounds));
  EXPECT_EQ(parse_size("1023", bounds).error(), "`1023` must be from 1k to 2k");
  EXPECT_EQ(parse_size("2049", bounds).error(), "`2049` must be from 1k to 2k");
  EXPECT_EQ(parse_size("0", bounds).error(), "`0` must be from 1k to 2k");
}

TEST(Scalars, ZeroIsNoLimitWhereThatIsAllowed) {
  constexpr Bounds bounds{.least = 10, .most = 20, .zero_is_none = true};
  EXPECT_EQ(parse_count("0", bounds), 0u);
  EXPECT_EQ(parse_count("9", bounds).error(), "`9` must be from 10 to 20, or 0 for no limit");
}

TEST(Scalars, EverySizeReadsBackFromItsText) {
  for (std::uint64_t bytes = 1; bytes < (1ULL << 60); bytes = bytes * 3 / 2 + 1) {
    for (const std::uint64_t size : {bytes, bytes * 1024, bytes & ~std::uint64_t{1023}}) {
      EXPECT_EQ(parse_size(size_text(size), any), size);
    }
  }
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(32 * kibi), "32k");
  EXPECT_EQ(size_text(kibi * kibi), "1m");
}

TEST(Scalars, EveryDurationReadsBackFromItsText) {
  for (std::int64_t count = 1; count < 40'000'000'000; count = count * 3 / 2 + 1) {
    EXPECT_EQ(parse_duration(duration_text(Milliseconds(count)), any), Milliseconds(count));
  }
  EXPECT_EQ(duration_text(Milliseconds(0)), "0s");
  EXPECT_EQ(duration_text(Milliseconds(90'000)), "90s");
  EXPECT_EQ(duration_text(Milliseconds(1'500)), "1500ms");
}

}  // namespace
}  // namespace baton::config
