// The pairs of docs/coming-from-nginx.md: with nginx and with Baton the same comes of the same requests.
#include <gtest/gtest.h>

#include "translations/asks.hpp"

namespace baton::harness {
namespace {

const char* const nginx_page = "coming-from-nginx.md";

const std::vector<Case> nginx_cases{
    {"server_name",
     {{"/", "Host: shop.example.com\r\n"},
      {"/", "Host: SHOP.example.com:8080\r\n"},
      {"/", "Host: de.shop.example.com\r\n"},
      {"/", "Host: a.de.shop.example.com\r\n"},
      {"/", "Host: notshop.example.com\r\n"},
      {"/", "Host: 127.0.0.1\r\n"},
      {"http://shop.example.com/whole", "Host: shop.example.com\r\n"}}},
    {"location",
     {{"/v1/users?a=b"},
      {"/v1/"},
      {"/v10"},
      {"/health"},
      {"/health/x"},
      {"/health?now"},
      {"/x/../v1/a"},
      {"//v1//a"},
      {"/%761/a"},
      {"/"}}},
    {"location with a regular expression",
     {{"/users/12"}, {"/users/12/a"}, {"/users/x"}, {"/a.PNG"}, {"/a.png?x"}, {"/a.pngs"}, {"/users/%31"}}},
    {"proxy_pass with a path", {{"/v1/users?a=b"}, {"/v1/"}, {"/v1/a%20b"}, {"/v2"}, {"/v1//a/../b"}}},
    {"rewrite", {{"/old/a/b?c=d"}, {"/old/"}, {"/about?x=y"}, {"/about/x"}, {"/other"}}},
    {"rewrite with groups", of_users},
    {"return",
     {{"/ping"}, {"/ping", "", "HEAD"}, {"/gone"}, {"/old/a?b=c"}, {"/anything"}},
     By::exchange,
     {"location"}},
    {"Redirect to HTTPS", {{"/a/b?c=d"}, {"/", "Host: shop.example.com:8080\r\n"}, {"/x", "", "POST", "body"}}},
    {"add_header", {{"/"}, {"/?one=404"}}},
    {"proxy_set_header",
     {{"/", "X-Debug: yes\r\nX-Other: kept\r\nX-Real-IP: 6.6.6.6\r\n"}, {"/", "X-Scheme-Seen: of the client\r\n"}}},
    {"proxy_hide_header", {{"/"}}},
    {"error_page",
     {{"/secret"}, {"/down"}, {"/?one=404"}, {"/"}},
     By::exchange,
     {"etag", "last-modified", "accept-ranges"},
     true},
    {"allow, deny",
     {{"/"}, {.from = "127.0.0.6"}, {.from = "127.0.0.7"}, {.from = "127.0.0.8"}, {.from = "127.0.1.1"}}},
    {"auth_basic",
     {{"/"}, {"/", of_ann}, {"/", of_a_guess}, {"/", "Authorization: Bearer abc\r\n"}, {"/", "", "POST", "body"}},
     By::exchange,
     {"www-authenticate"}},
    {"client_max_body_size",
     {{"/", "", "POST", std::string(1024, 'x')},
      {"/", "", "POST", std::string(1025, 'x')},
      {"/upload", "", "PUT", std::string(2048, 'x')},
      {"/upload", "", "PUT", std::string(2049, 'x')}}},
    {"limit_except", {{"/"}, {"/", "", "HEAD"}, {"/", "", "POST", "x"}, {"/", "", "PUT", "x"}, {"/", "", "DELETE"}}},
    {"server weight, backup, down", times(40, {}), By::shares},
    {"A backup server", times(4, {}), By::shares},
    {"least_conn", times(30, {}), By::shares},
    {"hash", {{"/a"}, {"/b"}, {"/a?b"}, {"/a"}, {"/b"}, {"/a?b"}, {"/a"}}, By::affinity},
    {"ip_hash",
     {{.from = "127.0.1.1"}, {.from = "127.0.2.1"}, {.from = "127.0.1.1"}, {.from = "127.0.2.1"}},
     By::affinity},
    {"keepalive", times(5, {}), By::connections},
    {"proxy_next_upstream",
     {{"/?one=502"}, {"/?two=503"}, {"/?one=502&two=502"}, {"/?one=500&two=500"}, {"/?one=503", "", "POST", "body"}},
     By::exchange},
    {"proxy_read_timeout", {{"/?one=silence"}, {"/"}}},
    {"set_real_ip_from",
     {{"/", "X-Forwarded-For: 203.0.113.9\r\n"},
      {"/", "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.3\r\n"},
      {"/", "X-Forwarded-For: 198.51.100.7\r\n"},
      {"/", "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\n"},
      {"/", "X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n"},
      {"/"}},
     By::exchange,
     {"host"}},
    {"listen proxy_protocol", with_proxy_headers, By::exchange, {"host"}},
    {.heading = "listen ssl", .asks = over_tls, .also = {"x-forwarded-proto"}},
    {"limit_req", too_many, By::exchange, {"retry-after"}},
    {"map of a field", {{"/", "X-Canary: 1\r\n"}, {"/", "X-Canary: 2\r\n"}, {"/"}, {"/", "x-canary: 1\r\n"}}},
    {"WebSockets",
     {{"/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n"}},
     By::exchange},
    {"underscores_in_headers", {{"/", "x_request_kind: a\r\nX-Other: b\r\n"}}},
    {"stream and ssl_preread", with_server_names(), By::reached},
};

class TranslatedFromNginx : public testing::TestWithParam<Pair> {};

TEST_P(TranslatedFromNginx, DoesTheSame) {
  if (!is_installed("/usr/sbin/nginx")) GTEST_SKIP() << "nginx is not installed";
  expect_same(start_nginx, GetParam(), nginx_cases);
}

INSTANTIATE_TEST_SUITE_P(Pairs, TranslatedFromNginx, testing::ValuesIn(pairs_on(nginx_page)),
                         [](const auto& i) { return "Number" + std::to_string(i.index + 1); });

TEST(TranslationsFromNginx, AllHaveRequests) {
  expect_complete(pairs_on(nginx_page), nginx_cases);
}

}  // namespace
}  // namespace baton::harness
