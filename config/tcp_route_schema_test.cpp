// The routes of tcp listeners: what loads and what is refused.
#include <gmock/gmock.h>

#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

// A listener in line 3 whose keys begin in column 31.
std::string tcp_with(const std::string& keys) {
  return with_listeners("  - { name: a, bind: \":80\", " + keys + " }\n");
}

TEST(TcpRoutes, HaveAMatchAndAnUpstream) {
  const auto routes =
      config_of(tcp_with("protocol: tcp, routes: [ { match: { sni: [ A.example., \"*.b.example\" ], alpn: h2, client: "
                         "10.0.0.0/8 }, upstream: app } ]"))
          .listeners.at(0)
          .routes;
  ASSERT_EQ(routes.size(), 1u);
  EXPECT_EQ(routes[0].match.sni, (std::vector<std::string>{"a.example", "*.b.example"}));
  EXPECT_EQ(routes[0].match.alpn, std::vector<std::string>{"h2"});
  EXPECT_EQ(routes[0].match.client, std::vector<Network>{parse_network("10.0.0.0/8").value()});
  EXPECT_EQ(routes[0].upstream, "app");
}

TEST(TcpAccess, IsOfTheListenerAndOfItsRoutes) {
  const std::string yaml = tcp_with(
      "protocol: tcp, access: { allow: [ 10.0.0.0/8, \"::1\" ] }, routes: [ { match: { sni: a }, upstream: app, "
      "access: { deny: 10.6.6.0/24 } } ]");
  const Config config = config_of(yaml);
  const Listener& listener = config.listeners.at(0);
  EXPECT_EQ(listener.access.allow, (std::vector{parse_network("10.0.0.0/8").value(), parse_network("::1").value()}));
  EXPECT_EQ(listener.routes.at(0).access.deny, std::vector{parse_network("10.6.6.0/24").value()});
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_NE(config_of(tcp_with("protocol: tcp")).listeners, config.listeners);
}

class TcpRouteKeys : public testing::TestWithParam<Refusal> {};

TEST_P(TcpRouteKeys, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal tcp_route_refusals[] = {
    {"AccessOnAnHttpListener",
     tcp_with("access: { deny: 10.0.0.1 }"),
     {"f:3:37: `access` of a listener is for tcp; for http listeners write `access` on routes"}},
    {"AccessWithoutAddresses",
     tcp_with("protocol: tcp, access: {}, routes: [ { match: { sni: a }, upstream: app, access: { allow: x } } ]"),
     {"f:3:52: `access`: expected `allow` or `deny` with address ranges",
      "f:3:119: `allow`: `x` is not an IP address"}},
    {"OnAnHttpListener",
     tcp_with("routes: [ { match: { sni: a }, upstream: app } ]"),
     {"f:3:37: `routes` of a listener are for tcp; for http listeners write `routes` at the top level"}},
    {"BesideTls",
     tcp_with("protocol: tcp, tls: { certificates: [ { cert: /c, key: /k } ] }, routes: [ { match: { sni: a }, "
              "upstream: app } ]"),
     {"f:3:102: `routes` of a listener read the ClientHello of connections that pass undecrypted; leave out `tls`"}},
    {"NoMatch",
     tcp_with("protocol: tcp, routes: [ { upstream: app } ]"),
     {"f:3:54: `match` is missing on a tcp route"}},
    {"EmptyMatch",
     tcp_with("protocol: tcp, routes: [ { match: {}, upstream: app } ]"),
     {"f:3:63: `match`: expected conditions, as in `match: { sni: a.example.com }`"}},
    {"UnknownUpstream",
     tcp_with("protocol: tcp, routes: [ { match: { sni: a }, upstream: ap } ]"),
     {"f:3:54: there is no upstream `ap`; did you mean `app`?"}},
    {"SameMatch",
     tcp_with("protocol: tcp, routes: [ { match: { sni: [ a, b ] }, upstream: app }, { match: { sni: [ b, A ] }, "
              "upstream: app } ]"),
     {"f:3:99: the route in line 3 has the same `match`"}},
    {"BadValues",
     tcp_with("protocol: tcp, routes: [ { match: { sni: a*b, alpn: \"\", client: here }, upstream: app } ]"),
     {"f:3:70: `sni`: ", "f:3:81: `alpn`: `` must have 1 to 255 bytes",
      "f:3:93: `client`: `here` is not an IP address"}},
    {"UnknownKey",
     tcp_with("protocol: tcp, routes: [ { match: { host: a }, upstream: app } ]"),
     {"f:3:65: unknown key `host` in `match` of a tcp route"}},
};
INSTANTIATE_TEST_SUITE_P(Refused, TcpRouteKeys, testing::ValuesIn(tcp_route_refusals),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
