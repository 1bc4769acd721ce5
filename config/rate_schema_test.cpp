// Rates of requests: what loads and to which values, what is refused, and what prints and reads back.
#include "config/rate_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

// A file whose first route, in line 8, has this limit.
std::string with_rate(const std::string& limit) {
  return minimal + "routes: [ { upstream: app, rate_limit: " + limit + " } ]\n";
}

RateLimit rate_of(const std::string& limit) {
  const Config config = config_of(with_rate(limit));
  EXPECT_EQ(config_of(print(config)), config) << print(config);
  return config.routes.empty() ? RateLimit{} : config.routes.front().gate.rate_limit.value_or(RateLimit{});
}

TEST(RateSchema, HasDefaultsForAllButTheNumber) {
  EXPECT_EQ(rate_of("{ requests: 100 }"), (RateLimit{100, Milliseconds(1000), 100, {}}));
  EXPECT_EQ(rate_of("{ requests: 5, per: 1m, burst: 20, by: route }"),
            (RateLimit{5, Milliseconds(60'000), 20, {RateBy::What::route, ""}}));
}

TEST(RateSchema, CountsByClientHeaderOrRoute) {
  EXPECT_EQ(rate_of("{ requests: 1, by: client }").by, RateBy{});
  EXPECT_EQ(rate_of("{ requests: 1, by: header X-API-Key }").by, (RateBy{RateBy::What::header, "x-api-key"}));
  EXPECT_EQ(rate_of("{ requests: 1, by: \"header  authorization\" }").by,
            (RateBy{RateBy::What::header, "authorization"}));
}

TEST(RateSchema, NeverPassesMoreThanItSays) {
  EXPECT_EQ(rate_of("{ requests: 3 }").interval_us(), 333'334U);
  EXPECT_EQ(rate_of("{ requests: 100000 }").interval_us(), 10U);
  EXPECT_EQ(rate_of("{ requests: 1, per: 1h, burst: 50 }").interval_us(), 3'600'000'000U);
  EXPECT_EQ(rate_of("{ requests: 1, per: 24h, burst: 10 }").burst, 10U);
}

TEST(RateSchema, CountsAllRequestsOfAClient) {
  const Config config = config_of(minimal + "limits: { requests_per_second_per_client: 50 }\n");
  EXPECT_EQ(config.limits.requests_per_second_per_client, 50U);
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_EQ(config_of(minimal + "limits: { requests_per_second_per_client: 0 }\n").limits, Limits{});
}

class RefusedRates : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedRates, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal rates[] = {
    {"NoNumber", with_rate("{ per: 1s }"), {"f:8:40: `requests` is missing in `rate_limit`"}},
    {"NumberAlone",
     with_rate("100"),
     {"f:8:40: `rate_limit`: expected keys with values, as in `{ requests: 100, per: 1s }`"}},
    {"NoRequests", with_rate("{ requests: 0 }"), {"f:8:52: `requests`: `0` must be from 1 to 1000000000"}},
    {"NoTime", with_rate("{ requests: 1, per: 0 }"), {"f:8:60: `per`: `0` must be from 1ms to 24h"}},
    {"LongTime", with_rate("{ requests: 1, per: 25h }"), {"f:8:60: `per`: `25h` must be from 1ms to 24h"}},
    {"NoBurst", with_rate("{ requests: 1, burst: 0 }"), {"f:8:62: `burst`: `0` must be from 1 to 1000000000"}},
    {"TooFine",
     with_rate("{ requests: 100001 }"),
     {"f:8:40: `rate_limit`: 100001 requests per 1s are more than 100000 per second, the most that are counted"}},
    {"TooCoarse",
     with_rate("{ requests: 1, per: 1h, burst: 241 }"),
     {"f:8:40: `rate_limit`: after a burst of 241 it would take more than 10 days until another is possible; write at "
      "most `burst: 240`"}},
    {"ByNothing",
     with_rate("{ requests: 1, by: cookie }"),
     {"f:8:59: `by`: expected `client`, `header NAME` or `route`"}},
    {"ByUnnamedHeader",
     with_rate("{ requests: 1, by: header }"),
     {"f:8:59: `by`: `header` needs a name, as in `by: header X-API-Key`"}},
    {"ByNoHeader",
     with_rate("{ requests: 1, by: \"header a b\" }"),
     {"f:8:59: `by`: `a b` is not the name of a header"}},
    {"ByWhatClientsSayOfThemselves",
     with_rate("{ requests: 1, by: header X-Forwarded-For }"),
     {"f:8:59: `by`: any client can send `X-Forwarded-For`; `by: client` counts by the address that is believed"}},
    {"OfAllRequestsTooFine",
     minimal + "limits: { requests_per_second_per_client: 100001 }\n",
     {"f:8:43: `requests_per_second_per_client`: `100001` must be from 1 to 100000"}},
    {"OfAllRequestsOnARoute",
     minimal + "routes: [ { upstream: app, limits: { requests_per_second_per_client: 1 } } ]\n",
     {"f:8:38: `requests_per_second_per_client`"}},
};
INSTANTIATE_TEST_SUITE_P(Of, RefusedRates, testing::ValuesIn(rates), [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
