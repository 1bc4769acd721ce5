// `resolve` and SRV addresses: what loads, what is refused, and what prints and reads back.
#include "config/resolve_schema.hpp"

#include <gmock/gmock.h>

#include "config/address.hpp"
#include "config/load.hpp"
#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

TEST(Resolve, HasDefaults) {
  const Config config =
      config_of(with_upstreams("  - { name: app, servers: [ { address: \"a.b:1\" } ], resolve: {} }\n"));
  EXPECT_EQ(config.upstreams[0].resolve, (Resolve{Milliseconds(10'000), NameFamily::any, {}}));
  EXPECT_EQ(config_of(minimal).upstreams[0].resolve, std::nullopt);
}

TEST(Resolve, LoadsAndPrints) {
  const Config config = config_of(
      with_upstreams("  - name: app\n"
                     "    servers: [ { address: \"srv:_http._tcp.app.internal\" } ]\n"
                     "    resolve: { every: 1m, family: ipv4, nameservers: [ 10.0.0.2, \"[::1]:5353\" ] }\n"));
  const Upstream& app = config.upstreams[0];
  EXPECT_EQ(app.servers[0].address, Address{.srv = "_http._tcp.app.internal"});
  EXPECT_EQ(app.resolve, (Resolve{Milliseconds(60'000),
                                  NameFamily::ipv4,
                                  {{.host = "10.0.0.2", .port = 53}, {.host = "::1", .port = 5353}}}));
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_THAT(print(config), testing::HasSubstr("    resolve: { every: 1m, family: ipv4, "
                                                "nameservers: [\"10.0.0.2:53\", \"[::1]:5353\"] }\n"));
}

class ResolveRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(ResolveRefusals, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal resolve_refusals[] = {
    {"TooOften",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], resolve: { every: 10ms } }\n"),
     {"f:3:69: `every`: `10ms` must be from 1s to 24h"}},
    {"AText",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], resolve: 5s }\n"),
     {"f:3:60: `resolve`: expected keys with values, as in `{ every: 5s }`"}},
    {"ANameserverByName",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], resolve: { nameservers: dns.internal } }\n"),
     {"f:3:75: `nameservers`: `dns.internal` is not the IP address of a name server"}},
    {"NoNameserver",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], resolve: { nameservers: [] } }\n"),
     {"f:3:75: `nameservers`: the list is empty"}},
    {"AFamily",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], resolve: { family: inet } }\n"),
     {"f:3:70: `family`: unknown value `inet` (expected: any, ipv4, ipv6)"}},
    {"SrvWithoutResolve",
     with_upstreams("  - { name: app, servers: [ { address: \"srv:_http._tcp.a\" } ] }\n"),
     {"f:3:40: `srv:_http._tcp.a` names SRV records, which change; add `resolve: {}` to the upstream"}},
    {"SrvWithAWeight",
     with_upstreams("  - { name: app, servers: [ { address: \"srv:_http._tcp.a\", weight: 2 } ], resolve: {} }\n"),
     {"f:3:40: the weights of `srv:_http._tcp.a` are in its SRV records; remove `weight`"}},
    {"SrvWithoutItsLabels",
     with_upstreams("  - { name: app, servers: [ { address: \"srv:app.internal\" } ], resolve: {} }\n"),
     {"f:3:40: `address`: `app.internal` is not the name of SRV records; write it like srv:_http._tcp.app.internal"}},
    {"SrvToListenOn",
     with_listeners("  - { name: a, bind: \"srv:_http._tcp.a\" }\n"),
     {"f:3:22: `bind`: `srv:_http._tcp.a` names servers; an address to listen on is needed"}},
};
INSTANTIATE_TEST_SUITE_P(Of, ResolveRefusals, testing::ValuesIn(resolve_refusals),
                         [](const auto& i) { return i.param.title; });

TEST(SrvNames, NeedAServiceAProtocolAndAName) {
  for (const std::string_view name : {"_a._tcp.b", "_http._tcp.app.internal", "_x-y._udp.a.b.c"}) {
    EXPECT_TRUE(parse_address("srv:" + std::string(name), AddressUse::connect)) << name;
  }
  for (const std::string_view name :
       {"", "_", "_a", "_a._tcp", "_a._tcp.", "a._tcp.b", "_a.tcp.b", "_._tcp.b", "_a._.b", "_a._tcp.b:80",
        "_a._tcp..b", "_a._tcp.1", "_a._tcp.b/c", "_a._tcp.b\r"}) {
    EXPECT_FALSE(parse_address("srv:" + std::string(name), AddressUse::connect)) << name;
  }
}

}  // namespace
}  // namespace baton::config
