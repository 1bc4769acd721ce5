#include "config/retries_schema.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"

namespace baton::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A route in line 8 whose retries begin in column 36.
std::string route_with(const std::string& retries) {
  return minimal + "routes: [ { upstream: app, retries: { " + retries + " } } ]\n";
}

TEST(Retries, EverySettingArrivesWhereItBelongs) {
  EXPECT_EQ(config_of(route_with("")).routes.at(0).retries, Retries{});
  const Config config = config_of(route_with("attempts: 3, on: [ reset, 503 ], budget: 7%"));
  EXPECT_EQ(config.routes.at(0).retries, (Retries{3, on_reset | on_503, 7}));
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_FALSE(config_of(minimal).routes.at(0).retries);
}

TEST(Retries, SayWhatIsWrongAndWhatToWrite) {
  EXPECT_THAT(problems_of(route_with("attempts: 11")), ElementsAre(HasSubstr("f:8:49: `attempts`")));
  EXPECT_THAT(problems_of(route_with("on: [ 500 ]")), ElementsAre(HasSubstr("connect, reset, 502, 503, 504")));
  EXPECT_THAT(problems_of(route_with("on: [ 502, 502 ]")), ElementsAre(HasSubstr("`502` appears twice")));
  EXPECT_THAT(problems_of(route_with("on: []")), ElementsAre(HasSubstr("`attempts: 1` switches retries off")));
  EXPECT_THAT(problems_of(route_with("budget: 20")), ElementsAre(HasSubstr("as in `20%`")));
  EXPECT_THAT(problems_of(route_with("budget: 101%")), ElementsAre(HasSubstr("`budget`")));
}

}  // namespace
}  // namespace baton::config
