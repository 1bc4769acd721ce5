#include "config/split_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

std::string with_split(const std::string& split, const std::string& more = "") {
  return minimal + "  - { name: api, servers: [ { address: \"127.0.0.1:9001\" } ] }\nroutes:\n  - { split: " + split +
         more + " }\n";
}

TEST(SplitSchema, SharesAreInTheOrderOfTheFile) {
  const Config config = config_of(with_split("[ { upstream: app, weight: 95 }, { upstream: api, weight: 0 } ]"));
  EXPECT_EQ(config.routes.at(0).split, (std::vector<Share>{{"app", 95}, {"api", 0}}));
  EXPECT_EQ(config.routes.at(0).upstream, "");
  EXPECT_EQ(config_of(print(config)), config);
}

class RefusedSplits : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedSplits, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal split_refusals[] = {
    {"Beside",
     with_split("[ { upstream: app, weight: 1 } ]", ", upstream: api"),
     {"f:10:14: `split`: a route has only one of `upstream`, `split`, `redirect` and `respond`"}},
    {"NoUpstream",
     with_split("[ { upstream: apo, weight: 1 } ]"),
     {"f:10:16: there is no upstream `apo`; did you mean `ap"}},
    {"NoWeight", with_split("[ { upstream: app } ]"), {"f:10:16: `weight` is missing in `split`"}},
    {"Twice",
     with_split("[ { upstream: app, weight: 1 }, { upstream: app, weight: 2 } ]"),
     {"f:10:46: `app` stands twice in `split`"}},
    {"OnlyZeros", with_split("[ { upstream: app, weight: 0 } ]"), {"f:10:14: `split`: every weight is 0"}},
    {"Empty", with_split("[]"), {"f:10:14: `split`: expected a list with at least one entry"}},
    {"Name",
     with_split("[ app ]"),
     {"f:10:16: `split`: expected keys with values, as in `{ upstream: app, weight: 1 }`"}},
};
INSTANTIATE_TEST_SUITE_P(Of, RefusedSplits, testing::ValuesIn(split_refusals),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
