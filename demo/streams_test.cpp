// Streams, tunnels and newcomers directly against the built-in origin: they continue until they are asked to finish,
// and notice when the origin disappears. demo_test.cpp covers a proxy's faults in their bytes.
#include <gmock/gmock.h>

#include <array>
#include <memory>
#include <string>
#include <tuple>

#include "demo/certificate.hpp"
#include "demo/load.hpp"
#include "demo/origin.hpp"
#include "demo/patience.hpp"
#include "demo/proxy.hpp"

namespace baton::demo {
namespace {

constexpr auto answer_limit = 3 * hung_after;  // a client that gets no answer reports it after `hung_after`

struct Case {
  const char* name;
  Kind kind;
  Mix mix;
};

class Streams : public testing::TestWithParam<std::tuple<Case, Transport>> {
 protected:
  Kind kind() const { return std::get<Case>(GetParam()).kind; }
  Transport transport() const { return std::get<Transport>(GetParam()); }
  Crowd crowd(const Entrances& server) const { return {transport(), server, std::get<Case>(GetParam()).mix}; }
  Crowd crowd(const Origin& origin) const { return crowd(origin.entrances(transport())); }
  Totals totals() const { return tally_.totals({kind(), transport()}); }

  bool flows(std::uint64_t pieces) {
    return patience_.wait_until([&] { return totals().answered >= pieces || totals().bytes >= 8192 * pieces; },
                                answer_limit);
  }

  Patience patience_;
  Tally tally_;
};

TEST_P(Streams, FlowUntilTheyAreAskedToFinish) {
  Origin origin;
  Load load({crowd(origin)}, tally_);
  ASSERT_TRUE(flows(10)) << testing::PrintToString(tally_.complaints());
  EXPECT_NE(load.unfinished(), 0u);
  load.finish();
  ASSERT_TRUE(patience_.wait_until([&] { return load.unfinished() == 0; }, answer_limit));
  EXPECT_EQ(totals().started, totals().opened);
  EXPECT_EQ(totals().proven, totals().opened) << testing::PrintToString(tally_.complaints());
  EXPECT_EQ(totals().errors() + totals().closes(), 0u);
}

TEST_P(Streams, FinishAlsoWhenAskedAtOnce) {
  Origin origin;
  Load load({crowd(origin)}, tally_);
  load.finish();
  ASSERT_TRUE(patience_.wait_until([&] { return load.unfinished() == 0; }, answer_limit));
  EXPECT_GE(totals().proven, 1u) << testing::PrintToString(tally_.complaints());
  EXPECT_EQ(totals().proven, totals().started);
}

TEST_P(Streams, NoticeThatTheOriginIsGone) {
  auto origin = std::make_unique<Origin>();
  Load load({crowd(*origin)}, tally_);
  ASSERT_TRUE(flows(3));
  origin.reset();
  if (kind() == Kind::slow_reader) load.finish();  // or it would read slowly what is still in flight
  EXPECT_TRUE(patience_.wait_until([&] { return totals().closes() + totals().errors() != 0; }, answer_limit));
}

TEST_P(Streams, NoticeThatNobodyListens) {
  const auto nobody = make_entrances(free_endpoints(), make_certificate());
  Load load({crowd(of(nobody, transport()))}, tally_);
  EXPECT_TRUE(patience_.wait_until([&] { return totals().of(Trouble::not_connected) != 0; }, answer_limit));
  EXPECT_EQ(totals().opened, 0u);
}

std::string title(const testing::TestParamInfo<std::tuple<Case, Transport>>& one) {
  constexpr std::array<const char*, transports> over{"", "OverTls13", "OverTls12"};
  return std::string(std::get<Case>(one.param).name) + over[static_cast<std::size_t>(std::get<Transport>(one.param))];
}

constexpr Case cases[] = {{"Download", Kind::download, {.download = 2}},
                          {"SlowReader", Kind::slow_reader, {.slow_reader = 2}},
                          {"Events", Kind::events, {.events = 2}},
                          {"Upload", Kind::upload, {.upload = 2}},
                          {"WebSocket", Kind::websocket, {.websocket = 2}},
                          {"Http2", Kind::http2, {.http2 = 2}},
                          {"Grpc", Kind::grpc, {.grpc = 2}},
                          {"RawTcp", Kind::raw_tcp, {.raw_tcp = 2}},
                          {"Newcomers", Kind::newcomer, {.newcomers_per_second = 100}}};
INSTANTIATE_TEST_SUITE_P(Each, Streams, testing::Combine(testing::ValuesIn(cases), testing::ValuesIn(all_transports)),
                         title);

}  // namespace
}  // namespace baton::demo
