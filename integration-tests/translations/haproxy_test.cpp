// The pairs of docs/coming-from-haproxy.md: with HAProxy and with Baton the same comes of the same requests.
#include <gtest/gtest.h>

#include "translations/asks.hpp"

namespace baton::harness {
namespace {

const char* const haproxy_page = "coming-from-haproxy.md";

const std::vector<Case> haproxy_cases{
    {"use_backend by host",
     {{"/", "Host: shop.example.com\r\n"},
      {"/", "Host: SHOP.example.com:8080\r\n"},
      {"/", "Host: a.de.shop.example.com\r\n"},
      {"/", "Host: notshop.example.com\r\n"}}},
    {"acl and use_backend by path", {{"/v1/users?a=b"}, {"/v1/"}, {"/v10"}, {"/health"}, {"/health/x"}, {"/health?x"}}},
    {"acl by regular expression, method, field, query",
     {{"/users/12"},
      {"/users/x"},
      {"/orders"},
      {"/orders", "", "POST", "x"},
      {"/orders", "", "PUT", "x"},
      {"/", "X-Canary: 1\r\n"},
      {"/", "X-Canary: 2\r\n"},
      {"/?a=b&canary=1"},
      {"/?canary=2"}}},
    {"balance roundrobin, weight, backup, disabled", times(40, {}), By::shares},
    {"balance leastconn", times(2, {"/at-a-time"}), By::at_a_time},
    {"balance source",
     {{.from = "127.0.1.1"}, {.from = "127.0.2.1"}, {.from = "127.0.1.1"}, {.from = "127.0.2.1"}},
     By::affinity},
    {"balance uri", {{"/a"}, {"/b"}, {"/a?b"}, {"/a"}, {"/b"}, {"/a?b"}, {"/a"}}, By::affinity},
    {"cookie insert", times(4, {}), By::cookie},
    {.heading = "check", .asks = times(6, {}), .by = By::shares, .probes = 5},
    {"maxconn of a server", times(3, {"/at-a-time"}), By::at_a_time},
    {"http-request set-header, add-header, del-header",
     {{"/", "X-Seen: of the client\r\nX-Tag: of the client\r\nX-Debug: yes\r\nX-Other: kept\r\n"}, {"/"}}},
    {"http-response set-header, del-header", {{"/"}, {"/?one=404"}}},
    {"http-request replace-path, set-path", {{"/v1/users?a=b"}, {"/v1/"}, {"/about?x=y"}, {"/about/x"}, {"/v2"}}},
    {"http-request replace-path with groups", of_users},
    {"http-request redirect", {{"/old"}, {"/moved/a?b=c"}, {"/a/b?c=d"}, {"/x", "", "POST", "body"}}},
    {"http-request return, deny", {{"/ping"}, {"/ping", "", "HEAD"}, {"/secret"}, {"/hidden"}, {"/"}}},
    {"http-request deny by address",
     {{"/"}, {.from = "127.0.0.6"}, {.from = "127.0.0.7"}, {.from = "127.0.0.8"}, {.from = "127.0.1.1"}}},
    {"http-request auth", {{"/"}, {"/", of_ann}, {"/", of_a_guess}}, By::exchange, {"www-authenticate"}},
    {"errorfile", {{"/secret"}, {"/?one=404"}}, By::exchange, {}, true},
    {.heading = "option forwardfor", .asks = {{"/"}}, .also = {"x-forwarded-for", "x-forwarded-proto"}},
    {"stick-table, http_req_rate", too_many, By::exchange, {"retry-after"}},
    {.heading = "bind ssl", .asks = over_tls, .also = {"x-forwarded-proto"}},
    {"accept-proxy", with_proxy_headers},
    {"send-proxy", {{.raw = "Host: example.com\r\n\r\n"}}},
    {"timeout server", {{"/?one=silence"}, {"/"}}},
    {"retries, option redispatch", {{"/?one=503", "", "POST", "body"}, {"/?one=502"}, {"/?one=502"}}},
    {"use_backend by SNI", with_server_names(), By::reached},
};

class TranslatedFromHaproxy : public testing::TestWithParam<Pair> {};

TEST_P(TranslatedFromHaproxy, DoesTheSame) {
  if (!is_installed("/usr/sbin/haproxy")) GTEST_SKIP() << "haproxy is not installed";
  expect_same(start_haproxy, GetParam(), haproxy_cases);
}

INSTANTIATE_TEST_SUITE_P(Pairs, TranslatedFromHaproxy, testing::ValuesIn(pairs_on(haproxy_page)),
                         [](const auto& i) { return "Number" + std::to_string(i.index + 1); });

TEST(TranslationsFromHaproxy, AllHaveRequests) {
  expect_complete(pairs_on(haproxy_page), haproxy_cases);
}

}  // namespace
}  // namespace baton::harness
