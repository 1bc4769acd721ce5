// The keys that say who a client is: what loads and what is refused.
#include "config/client_schema.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

using testing::ElementsAre;

TEST(TrustedProxies, AreNoneByDefaultAndOneOrAList) {
  EXPECT_EQ(config_of(minimal).trusted_proxies, TrustedProxies{});
  EXPECT_THAT(texts_of(config_of(minimal + "trusted_proxies: 10.0.0.0/8\n").trusted_proxies),
              ElementsAre("10.0.0.0/8"));
  EXPECT_THAT(
      texts_of(config_of(minimal + "trusted_proxies: [ \"2001:db8::/32\", unix, 192.0.2.1 ]\n").trusted_proxies),
      ElementsAre("2001:db8::/32", "192.0.2.1", "unix"));
}

TEST(TrustedProxies, OfAListenerReplaceThoseOfAll) {
  const auto listener = [](const std::string& more) {
    return config_of(with_listeners("  - { name: a, bind: \":80\"" + more + " }\n") +
                     "trusted_proxies: [ 10.0.0.0/8 ]\n")
        .listeners.at(0);
  };
  EXPECT_EQ(listener("").trusted_proxies, std::nullopt);
  EXPECT_EQ(listener(", trusted_proxies: []").trusted_proxies, TrustedProxies{});
  EXPECT_THAT(texts_of(listener(", trusted_proxies: [ 192.0.2.0/24 ]").trusted_proxies.value()),
              ElementsAre("192.0.2.0/24"));
}

TEST(ProxyProtocol, NeedsTrustedProxies) {
  const auto config = config_of(with_listeners("  - { name: a, bind: \":80\", proxy_protocol: require }\n") +
                                "trusted_proxies: 10.0.0.0/8\n");
  EXPECT_EQ(config.listeners.at(0).proxy_protocol, ProxyProtocol::require);
}

TEST(Forwarded, IsWhatIsWrittenAndNothingElse) {
  EXPECT_THAT(texts_of(config_of(minimal).forwarded), ElementsAre("x_forwarded"));
  EXPECT_THAT(texts_of(config_of(minimal + "forwarded: [ x_real_ip, forwarded ]\n").forwarded),
              ElementsAre("forwarded", "x_real_ip"));
  EXPECT_THAT(texts_of(config_of(minimal + "forwarded: []\n").forwarded), ElementsAre());
}

TEST(RequestId, IsOffUnlessItIsNamed) {
  EXPECT_EQ(config_of(minimal).request_id, std::nullopt);
  EXPECT_EQ(config_of(minimal + "request_id: {}\n").request_id, (RequestId{"X-Request-Id", false}));
  EXPECT_EQ(config_of(minimal + "request_id: { header: X-Trace, trust: true }\n").request_id,
            (RequestId{"X-Trace", true}));
}

class ClientKeys : public testing::TestWithParam<Refusal> {};

TEST_P(ClientKeys, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const Refusal client_refusals[] = {
    {"NoNetwork",
     minimal + "trusted_proxies: [ 10.0.0.0/8, lb.example ]\n",
     {"f:8:32: `trusted_proxies`: `lb.example` is not an IP address or a range such as"}},
    {"BitsBehindThePrefix",
     minimal + "trusted_proxies: 10.0.0.1/8\n",
     {"f:8:18: `trusted_proxies`: `10.0.0.1/8` has bits after its prefix; the range is `10.0.0.0/8`"}},
    {"NginxsWordForUnixSockets",
     minimal + "trusted_proxies: [ \"unix:\" ]\n",
     {"f:8:20: `trusted_proxies`: `unix:`: write `unix` to trust every client of a Unix socket"}},
    {"OnAListener",
     with_listeners("  - { name: a, bind: \":80\", trusted_proxies: all }\n"),
     {"f:3:46: `trusted_proxies`: `all` is not an IP address"}},
    {"ProxyHeadersFromNobody",
     with_listeners("  - { name: a, bind: \":80\", proxy_protocol: accept, trusted_proxies: [] }\n") +
         "trusted_proxies: 10.0.0.0/8\n",
     {"f:3:5: `proxy_protocol: accept` needs `trusted_proxies`: the addresses of those who may send a PROXY header"}},
    {"ProxyProtocolOn",
     with_listeners("  - { name: a, bind: \":80\", proxy_protocol: on }\n"),
     {"f:3:45: `proxy_protocol`: unknown value `on`"}},
    {"NoBacklog",
     with_listeners("  - { name: a, bind: \":80\", backlog: 0 }\n"),
     {"f:3:38: `backlog`: `0` must be from 1 to 1000000"}},
    {"KeepaliveOfLessThanASecond",
     with_listeners("  - { name: a, bind: \":80\", tcp_keepalive: 1500ms }\n"),
     {"f:3:44: `tcp_keepalive`: `1500ms` is not a whole number of seconds"}},
    {"UnknownField",
     minimal + "forwarded: [ x_forwarded, x_real ]\n",
     {"f:8:27: `forwarded`: unknown value `x_real`; did you mean `x_real_ip`?"}},
    {"IdInAFramingField",
     minimal + "request_id: { header: Content-Length }\n",
     {"f:8:23: `header`: `Content-Length` has a meaning of its own; write another name, such as `X-Request-Id`"}},
    {"IdInNoField",
     minimal + "request_id: { header: \"a b\", trust: maybe }\n",
     {"f:8:23: `header`: `a b` is not a field name of 1 to 64 letters, digits and hyphens", "f:8:37: `trust`: "}},
    {"IdAsText", minimal + "request_id: X-Trace\n", {"f:8:13: `request_id`: expected keys with values"}},
    {"Tracing", minimal + "tracing: on\n", {"f:8:10: `tracing`: unknown value `on`"}},
};
INSTANTIATE_TEST_SUITE_P(Refused, ClientKeys, testing::ValuesIn(client_refusals),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
