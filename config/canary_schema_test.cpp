// Canaries: what loads and to which values, what is refused, and the same where a command says it.
#include "config/canary_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

// A file with this canary in line 8, from column 20.
std::string with_canary(const std::string& canary) {
  return minimal + "handoff: { canary: " + canary + " }\n";
}

Canary canary_of(const std::string& canary) {
  const Config config = config_of(with_canary(canary));
  EXPECT_EQ(config_of(print(config)), config) << print(config);
  return config.handoff.canary.value_or(Canary{});
}

constexpr Milliseconds seconds(int count) {
  return Milliseconds(1000 * count);
}

TEST(CanarySchema, HasDefaultsForAllButTheShare) {
  EXPECT_EQ(config_of(minimal).handoff.canary, std::nullopt);
  EXPECT_EQ(canary_of("{ share: 5% }"), (Canary{500, seconds(30), seconds(300)}));
  EXPECT_EQ(canary_of("{ max: 1m, share: 0.25%, bake: 60s }"), (Canary{25, seconds(60), seconds(60)}));
}

TEST(CanarySchema, TakesAsLongAtMostAsItsTimeWhereThatIsLonger) {
  EXPECT_EQ(canary_of("{ share: 5%, bake: 299s }").max, seconds(300));
  EXPECT_EQ(canary_of("{ share: 5%, bake: 10m }").max, seconds(600));
}

TEST(CanarySchema, TakesItsBounds) {
  EXPECT_EQ(canary_of("{ share: 0.01%, bake: 1s, max: 1s }"), (Canary{1, seconds(1), seconds(1)}));
  EXPECT_EQ(canary_of("{ share: 50%, bake: 24h, max: 24h }"), (Canary{5'000, seconds(86'400), seconds(86'400)}));
}

TEST(CanarySchema, IsPrintedAsPeopleWriteIt) {
  EXPECT_THAT(print(config_of(with_canary("{ share: 12.50% }"))),
              testing::HasSubstr("  probation: 0s\n  canary: { share: 12.5%, bake: 30s, max: 5m }\n"));
  EXPECT_THAT(print(config_of(minimal)), testing::Not(testing::HasSubstr("canary")));
}

class CanaryRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(CanaryRefusals, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal refusals[] = {
    {"NoShare", with_canary("{ bake: 10s }"), {"f:8:20: `share` is missing in `canary`"}},
    {"Empty", with_canary("{}"), {"f:8:20: `share` is missing in `canary`"}},
    {"OnlyAShare", with_canary("5%"), {"f:8:20: `canary`: expected keys with values, as in `{ share: 5% }`"}},
    {"Off", with_canary("off"), {"f:8:20: `canary`: expected keys with values, as in `{ share: 5% }`"}},
    {"WithoutPercent",
     with_canary("{ share: 5 }"),
     {"f:8:29: `share`: `5` is not a share from 0.01% to 50%; write it like 5% or 0.25%"}},
    {"MoreThanHalf",
     with_canary("{ share: 50.01% }"),
     {"f:8:29: `share`: `50.01%` is not a share from 0.01% to 50%; write it like 5% or 0.25%"}},
    {"Nobody", with_canary("{ share: 0% }"), {"f:8:29: `share`: `0%` is not a share from 0.01% to 50%"}},
    {"ThreeDecimals", with_canary("{ share: 0.125% }"), {"f:8:29: `share`: `0.125%` is not a share"}},
    {"NoNumber", with_canary("{ share: \"%\" }"), {"f:8:29: `share`: `%` is not a share"}},
    {"Boolean", with_canary("{ share: true }"), {"f:8:29: `share`: `true` is not a share"}},
    {"TooShort", with_canary("{ share: 5%, bake: 999ms }"), {"f:8:39: `bake`: `999ms` must be from 1s to 24h"}},
    {"TooLong", with_canary("{ share: 5%, bake: 1s, max: 25h }"), {"f:8:48: `max`: `25h` must be from 1s to 24h"}},
    {"LessThanItsTime",
     with_canary("{ share: 5%, max: 10s, bake: 1m }"),
     {"f:8:38: `max`: 10s is less than `bake` 1m"}},
    {"LessThanTheDefault", with_canary("{ share: 5%, max: 10s }"), {"f:8:38: `max`: 10s is less than `bake` 30s"}},
    {"BesideATimeThatIsNone", with_canary("{ share: 5%, bake: 1, max: 10s }"), {"f:8:39: `bake`: `1` needs a unit"}},
    {"Unknown",
     with_canary("{ share: 5%, baek: 10s }"),
     {"f:8:33: unknown key `baek` in `canary`; did you mean `bake`? (expected: share, bake, max)"}},
};
INSTANTIATE_TEST_SUITE_P(OfValues, CanaryRefusals, testing::ValuesIn(refusals),
                         [](const auto& i) { return i.param.title; });

TEST(ParseCanary, TakesWhatAFileMayHave) {
  EXPECT_EQ(parse_canary("5%", {}, {}), (Canary{500, seconds(30), seconds(300)}));
  EXPECT_EQ(parse_canary("5%", "10m", {}), (Canary{500, seconds(600), seconds(600)}));
  EXPECT_EQ(parse_canary("0.5%", "10s", "20s"), (Canary{50, seconds(10), seconds(20)}));
}

TEST(ParseCanary, SaysWhichValueIsWrong) {
  const auto mistake = [](std::string_view share, std::optional<std::string> bake, std::optional<std::string> max) {
    const auto parsed = parse_canary(share, bake, max);
    return parsed ? std::string() : std::string(parsed.error().key) + ": " + parsed.error().text;
  };
  EXPECT_EQ(mistake("51%", {}, {}), "share: `51%` is not a share from 0.01% to 50%; write it like 5% or 0.25%");
  EXPECT_EQ(mistake("5%", "0", {}), "bake: `0` must be from 1s to 24h");
  EXPECT_EQ(mistake("5%", "30", {}), "bake: `30` needs a unit: 500ms, 5s, 1m or 1h");
  EXPECT_EQ(mistake("5%", {}, "25h"), "max: `25h` must be from 1s to 24h");
  EXPECT_EQ(mistake("5%", "1m", "10s"), "max: 10s is less than `bake` 1m");
}

}  // namespace
}  // namespace baton::config
