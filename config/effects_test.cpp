// Keys that would do nothing are refused, with what to do instead.
#include "config/effects.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

class WithoutEffect : public testing::TestWithParam<Refusal> {};

TEST_P(WithoutEffect, IsRefused) {
  expect_refused(GetParam());
}

// Upstreams from line 3 on, and a tcp listener for `raw`.
std::string beside_tcp(const std::string& entries) {
  return "version: 1\nupstreams:\n" + entries +
         "listeners: [ { name: raw, bind: \":81\", protocol: tcp, upstream: raw } ]\n";
}

const Refusal effects_refusals[] = {
    {"OnARouteThatResponds",
     minimal + "routes:\n  - respond: { status: 204 }\n    path: { strip_prefix: /a }\n    host: upstream\n"
               "    request_headers: { remove: a }\n    retries: { attempts: 3 }\n    upgrades: []\n",
     {"f:10:11: `path` has no effect on a route that answers by itself", "f:11:11: `host` has no effect",
      "f:12:22: `request_headers` has no effect", "f:13:14: `retries` has no effect",
      "f:14:15: `upgrades` has no effect"}},
    {"OnARouteThatRedirects",
     minimal + "routes: [ { redirect: { to: /a }, host: a.example } ]\n",
     {"f:8:41: `host` has no effect on a route that answers by itself: no server gets its requests"}},
    {"AServerTwice",
     with_upstreams("  - name: app\n    servers: [ { address: \"A:1\" }, { address: \"a:2\" }, { address: \"a:1\", "
                    "weight: 2 } ]\n"),
     {"f:4:67: `a:1` is a server of this upstream already, in line 4; for a larger share raise its `weight`"}},
    {"StickyForTcp",
     beside_tcp("  - { name: raw, servers: [ { address: \"a:1\" } ], sticky: {} }\n"),
     {"f:3:59: `sticky` has no effect, since only tcp listeners use this upstream: their connections have no cookies"}},
    {"KeepAliveForTcp",
     beside_tcp("  - { name: raw, servers: [ { address: \"a:1\" } ], keep_alive: { requests: 3 } }\n"),
     {"f:3:63: `keep_alive` has no effect, since only tcp listeners use this upstream: each connection serves one"}},
    {"ACookieThatIsNeverSecure",
     with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ], sticky: { same_site: none } }\n"),
     {"f:3:72: browsers refuse a cookie with `same_site: none` that is not secure, and no client uses TLS here"}},
};
INSTANTIATE_TEST_SUITE_P(Keys, WithoutEffect, testing::ValuesIn(effects_refusals),
                         [](const auto& i) { return i.param.title; });

std::vector<std::string> problems_with(const std::string& upstreams, const std::string& listeners,
                                       const std::string& more = "") {
  return problems_of("version: 1\nlisteners:\n" + listeners + "upstreams:\n" + upstreams + more);
}

TEST(WithEffect, IsAllowed) {
  const std::string web = "  - { name: web, bind: \":80\" }\n";
  const std::string raw = "  - { name: raw, bind: \":81\", protocol: tcp, upstream: app }\n";
  const std::string sticky =
      "  - { name: app, servers: [ { address: \"a:1\" } ], sticky: {}, keep_alive: { age: 1m } }\n";
  EXPECT_THAT(problems_with(sticky, web + raw), testing::IsEmpty()) << "http uses it, too";
  EXPECT_THAT(problems_with("  - { name: app, servers: [ { address: \"a:1\" } ], keep_alive: { requests: 0 } }\n", raw),
              testing::IsEmpty())
      << "the default";
  const std::string none = "  - { name: app, servers: [ { address: \"a:1\" } ], sticky: { same_site: none } }\n";
  EXPECT_THAT(
      problems_with(none, "  - { name: web, bind: \":80\", tls: { certificates: [ { cert: /c, key: /k } ] } }\n"),
      testing::IsEmpty());
  EXPECT_THAT(problems_with(none, web, "trusted_proxies: 10.0.0.1\n"), testing::IsEmpty());
  EXPECT_THAT(
      problems_with("  - { name: app, servers: [ { address: \"a:1\" } ], sticky: { same_site: none, secure: true "
                    "} }\n",
                    web),
      testing::IsEmpty());
  EXPECT_THAT(problems_of(minimal + "routes: [ { respond: { status: 204 }, response_headers: { set: { A: b } }, "
                                    "access: { deny: 10.0.0.1 }, name: a } ]\n"),
              testing::IsEmpty());
}

TEST(WithEffect, AServerMayBeInSeveralUpstreams) {
  EXPECT_THAT(problems_of(minimal + "  - { name: again, servers: [ { address: \"127.0.0.1:9000\" } ] }\n"
                                    "routes: [ { upstream: app } ]\n"),
              testing::IsEmpty());
}

}  // namespace
}  // namespace baton::config
