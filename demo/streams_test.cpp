// Streams, tunnels and newcomers against the built-in origin directly: they go on until they are asked to finish, and
// notice when the origin goes away. What a proxy does wrong to their bytes is in demo_test.cpp.
#include <gmock/gmock.h>

#include <memory>

#include "demo/load.hpp"
#include "demo/origin.hpp"
#include "demo/patience.hpp"
#include "demo/proxy.hpp"

namespace baton::demo {
namespace {

using namespace std::chrono_literals;
constexpr auto limit = 20s;

struct Case {
  const char* name;
  Kind kind;
  Mix mix;
};

class Streams : public testing::TestWithParam<Case> {
 protected:
  Kind kind() const { return GetParam().kind; }
  Totals totals() const { return tally_.totals(kind()); }

  bool flows(std::uint64_t pieces) {
    return patience_.wait_until([&] { return totals().answered >= pieces || totals().bytes >= 8192 * pieces; }, limit);
  }

  Patience patience_;
  Tally tally_;
};

TEST_P(Streams, FlowUntilTheyAreAskedToFinish) {
  Origin origin;
  Load load(origin.entrances(), GetParam().mix, tally_);
  ASSERT_TRUE(flows(10)) << testing::PrintToString(tally_.complaints());
  EXPECT_NE(load.unfinished(), 0u);
  load.finish();
  ASSERT_TRUE(patience_.wait_until([&] { return load.unfinished() == 0; }, limit));
  EXPECT_EQ(totals().started, totals().opened);
  EXPECT_EQ(totals().proven, totals().opened) << testing::PrintToString(tally_.complaints());
  EXPECT_EQ(totals().errors() + totals().closes(), 0u);
}

TEST_P(Streams, FinishAlsoWhenAskedAtOnce) {
  Origin origin;
  Load load(origin.entrances(), GetParam().mix, tally_);
  load.finish();
  ASSERT_TRUE(patience_.wait_until([&] { return load.unfinished() == 0; }, limit));
  EXPECT_GE(totals().proven, 1u) << testing::PrintToString(tally_.complaints());
  EXPECT_EQ(totals().proven, totals().started);
}

TEST_P(Streams, NoticeThatTheOriginIsGone) {
  auto origin = std::make_unique<Origin>();
  Load load(origin->entrances(), GetParam().mix, tally_);
  ASSERT_TRUE(flows(3));
  origin.reset();
  if (kind() == Kind::slow_reader) load.finish();  // or it would take its time with what is still on the way
  EXPECT_TRUE(patience_.wait_until([&] { return totals().closes() + totals().errors() != 0; }, limit));
}

TEST_P(Streams, NoticeThatNobodyListens) {
  Load load(free_entrances(), GetParam().mix, tally_);
  EXPECT_TRUE(patience_.wait_until([&] { return totals().of(Trouble::not_connected) != 0; }, limit));
  EXPECT_EQ(totals().opened, 0u);
}

INSTANTIATE_TEST_SUITE_P(Each, Streams,
                         testing::Values(Case{"Download", Kind::download, {.download = 2}},
                                         Case{"SlowReader", Kind::slow_reader, {.slow_reader = 2}},
                                         Case{"Events", Kind::events, {.events = 2}},
                                         Case{"Upload", Kind::upload, {.upload = 2}},
                                         Case{"WebSocket", Kind::websocket, {.websocket = 2}},
                                         Case{"RawTcp", Kind::raw_tcp, {.raw_tcp = 2}},
                                         Case{"Newcomers", Kind::newcomer, {.newcomers_per_second = 100}}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace baton::demo
