// The pairs of docs/coming-from-caddy.md: with Caddy and with Baton the same comes of the same requests.
#include <gtest/gtest.h>

#include "translations/asks.hpp"

namespace baton::harness {
namespace {

const char* const caddy_page = "coming-from-caddy.md";

const std::vector<Case> caddy_cases{
    {"reverse_proxy", times(10, {}), By::shares},
    {"Sites by host",
     {{"/", "Host: shop.example.com\r\n"},
      {"/", "Host: SHOP.example.com:8080\r\n"},
      {"/", "Host: de.shop.example.com\r\n"},
      {"/", "Host: notshop.example.com\r\n"}}},
    {"handle", {{"/v1/users?a=b"}, {"/v1/"}, {"/v10"}, {"/health"}, {"/health/x"}, {"/health?x"}, {"/%761/a"}}},
    {"handle_path", {{"/v1/users?a=b"}, {"/v1/"}, {"/v10"}, {"/"}}},
    {"rewrite, uri strip_prefix", {{"/old/a/b?c=d"}, {"/old/"}, {"/about?x=y"}, {"/about/x"}, {"/"}}},
    {"rewrite with groups", of_users},
    {"Matchers",
     {{"/users/12"},
      {"/users/x"},
      {"/orders"},
      {"/orders", "", "POST", "x"},
      {"/orders", "", "PUT", "x"},
      {"/", "X-Canary: 1\r\n"},
      {"/", "X-Canary: 2\r\n"},
      {"/?a=b&beta=1"},
      {"/?beta=2"}}},
    {"header", {{"/"}, {"/?one=404"}}},
    {"header_up, header_down", {{"/", "X-Seen: of the client\r\nX-Debug: yes\r\nX-Other: kept\r\n"}, {"/"}}},
    {"respond", {{"/ping"}, {"/ping", "", "HEAD"}, {"/gone"}, {"/"}}},
    {"redir", {{"/old?a=b"}, {"/start"}, {"/form", "", "POST", "body"}, {"/"}}},
    {"basicauth", {{"/"}, {"/", of_ann}, {"/", of_a_guess}}, By::exchange, {"www-authenticate"}},
    {.heading = "request_body",
     .asks = {{"/", "", "POST", std::string(1024, 'x')}, {"/", "", "POST", std::string(1025, 'x')}},
     .other_status = true},
    {"Access by address", {{"/"}, {.from = "127.0.0.6"}, {.from = "127.0.0.8"}, {.from = "127.0.1.1"}}},
    {.heading = "trusted_proxies",
     .asks = {{"/"}, {"/", "X-Forwarded-For: 203.0.113.9\r\n"}, {"/", "X-Forwarded-Proto: https\r\n"}},
     .also = {"x-forwarded-for", "x-forwarded-proto"}},
    {.heading = "tls", .asks = over_tls, .but = {"alt-svc"}, .also = {"x-forwarded-proto"}},
    {"lb_policy least_conn", times(2, {"/at-a-time"}), By::at_a_time},
    {"lb_policy ip_hash",
     {{.from = "127.0.1.1"}, {.from = "127.0.2.1"}, {.from = "127.0.1.1"}, {.from = "127.0.2.1"}},
     By::affinity},
    {"lb_policy uri_hash", {{"/a"}, {"/b"}, {"/a?b"}, {"/a"}, {"/b"}, {"/a?b"}, {"/a"}}, By::affinity},
    {"lb_policy cookie", times(4, {}), By::cookie},
    {"lb_policy header",
     {{"/", "X-User: a\r\n"}, {"/", "X-User: b\r\n"}, {"/", "X-User: a\r\n"}, {"/", "X-User: b\r\n"}},
     By::affinity},
    {"lb_try_duration", times(4, {}), By::shares},
    {.heading = "health_uri", .asks = times(6, {}), .by = By::shares, .probes = 5},
    {.heading = "response_header_timeout", .asks = {{"/"}, {"/?one=silence"}}, .other_status = true},
    {"handle_errors",
     {{"/secret"}, {"/?one=404"}, {"/"}},
     By::exchange,
     {"etag", "last-modified", "accept-ranges"},
     true},
};

class TranslatedFromCaddy : public testing::TestWithParam<Pair> {};

TEST_P(TranslatedFromCaddy, DoesTheSame) {
  if (!is_installed("/usr/bin/caddy")) GTEST_SKIP() << "caddy is not installed";
  expect_same(start_caddy, GetParam(), caddy_cases);
}

INSTANTIATE_TEST_SUITE_P(Pairs, TranslatedFromCaddy, testing::ValuesIn(pairs_on(caddy_page)),
                         [](const auto& i) { return "Number" + std::to_string(i.index + 1); });

TEST(TranslationsFromCaddy, AllHaveRequests) {
  expect_complete(pairs_on(caddy_page), caddy_cases);
}

}  // namespace
}  // namespace baton::harness
