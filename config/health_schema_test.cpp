// `health`: what loads, what is refused, and what prints and reads back.
#include "config/health_schema.hpp"

#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

using namespace std::chrono_literals;

std::string with_health(const std::string& health) {
  return with_upstreams("  - name: app\n    servers: [ { address: \"a:1\" } ]\n    health: " + health + "\n");
}

TEST(Health, HasDefaults) {
  const Health health = config_of(with_health("{ active: {}, passive: {} }")).upstreams[0].health.value();
  EXPECT_EQ(health.active, ActiveHealth{});
  EXPECT_EQ(health.passive, PassiveHealth{});
  EXPECT_EQ(config_of(minimal).upstreams[0].health, std::nullopt);
}

TEST(Health, LoadsAndPrints) {
  const Config config = config_of(
      with_health("{ active: { path: \"/h?a=$$1\", every: 1s, timeout: 500ms, up: 1, down: 2, status: [ 204, 300-399 ],"
                  " host: app.internal, port: 81 }, passive: { failures: 3, within: 1m, eject: 5s, at_most: 34%,"
                  " status: 502-504 } }"));
  const Health& health = config.upstreams[0].health.value();
  EXPECT_EQ(health.active,
            (ActiveHealth{ProbeType::http, "/h?a=$1", 1s, 500ms, 1, 2, {{204, 204}, {300, 399}}, "app.internal", 81}));
  EXPECT_EQ(health.passive, (PassiveHealth{3, 1min, 5s, 34, {{502, 504}}}));
  EXPECT_EQ(config_of(print(config)), config);
  const Config tcp = config_of(with_health("{ active: { type: tcp } }"));
  EXPECT_EQ(tcp.upstreams[0].health->active->type, ProbeType::tcp);
  EXPECT_EQ(config_of(print(tcp)), tcp);
  const Config grpc = config_of(with_health("{ active: { type: grpc, host: app.internal, service: shop.Orders } }"));
  EXPECT_EQ(grpc.upstreams[0].health->active,
            (ActiveHealth{.type = ProbeType::grpc, .host = "app.internal", .service = "shop.Orders"}));
  EXPECT_EQ(config_of(print(grpc)), grpc);
}

class HealthRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(HealthRefusals, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal health_refusals[] = {
    {"Nothing",
     with_health("{}"),
     {"f:5:13: `health`: says nothing; write `active: { path: /healthz }`, `passive: {}`, or both"}},
    {"GrpcWithAPath",
     with_health("{ active: { type: grpc, path: /a } }"),
     {"f:5:43: `path`: means nothing to a probe of `type: grpc`, which calls grpc.health.v1.Health/Check"}},
    {"GrpcWithAStatus",
     with_health("{ active: { status: 200, type: grpc } }"),
     {"f:5:33: `status`: means nothing to a probe of `type: grpc`"}},
    {"AService",
     with_health("{ active: { type: grpc, service: \"a b\" } }"),
     {"f:5:46: `service`: `a b` is not the name of a service; write one like shop.Orders"}},
    {"AServiceOfHttp", with_health("{ active: { service: a } }"), {"f:5:34: `service`: is for `type: grpc`"}},
    {"TcpWithAHost",
     with_health("{ active: { type: tcp, host: a } }"),
     {"f:5:42: `host`: means nothing to a probe of `type: tcp`"}},
    {"AType", with_health("{ active: { type: udp } }"), {"f:5:31: `type`: unknown value `udp`"}},
    {"TcpWithAPath",
     with_health("{ active: { type: tcp, path: /a } }"),
     {"f:5:42: `path`: means nothing to a probe of `type: tcp`"}},
    {"APath",
     with_health("{ active: { path: healthz } }"),
     {"f:5:31: `path`: `healthz` is not a path; write one like /healthz"}},
    {"APathWithABlank", with_health("{ active: { path: \"/a b\" } }"), {"f:5:31: `path`: `/a b` is not a path"}},
    {"AHost", with_health("{ active: { host: \"a/b\" } }"), {"f:5:31: `host`: `a/b` is not a host"}},
    {"AStatus",
     with_health("{ active: { status: [ 99, 300-200, 2xx ] } }"),
     {"f:5:35: `status`: `99` is not a status", "f:5:39: `status`: `300-200` is not a status",
      "f:5:48: `status`: `2xx` is not a status"}},
    {"AShare",
     with_health("{ passive: { at_most: 50 } }"),
     {"f:5:35: `at_most`: `50` is not a share from 1% to 100%; write it like 50%"}},
    {"NoFailures", with_health("{ passive: { failures: 0 } }"), {"f:5:36: `failures`: `0` must be from 1 to 1000"}},
    {"TooOften", with_health("{ active: { every: 1ms } }"), {"f:5:32: `every`: `1ms` must be from 100ms to 24h"}},
};
INSTANTIATE_TEST_SUITE_P(Of, HealthRefusals, testing::ValuesIn(health_refusals),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
