#include <gmock/gmock.h>

#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/testing/load.hpp"
#include "config/testing/paths.hpp"

namespace baton::config {
namespace {

// Every setting differs from its default.
Config unusual() {
  const auto ms = [](int count) { return Milliseconds(count); };
  Config config;
  config.listeners = {{"a", {{.port = 80}, {.host = "::1", .port = 81}}},
                      {"b", {{.unix_path = "/b \"$\\ ${HOST} é"}}},
                      {"c", {{.port = 82}}, Protocol::tcp, "null"}};
  config.listeners[0].tls = {{{{"/c: {1}"}, {"/k \"1\""}}, {{"/$2"}, {"/2"}}},
                             TlsMinimum::tls13,
                             {},
                             ClientAuth::optional,
                             File{"/ca's"},
                             false};
  config.listeners[2].tls = {{{{"/c"}, {"/k"}}}, TlsMinimum::tls12, {"h2", "a, ] \"b\""}};
  config.listeners[2].tls->client_auth = ClientAuth::required;
  config.listeners[2].tls->ciphers = {"ECDHE-RSA-AES128-GCM-SHA256"};
  config.listeners[2].tls->ciphersuites = {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"};
  config.listeners[2].tls->folders = {File{"/live/* {"}, File{"/$1"}};
  config.listeners[2].tls->curves = {"P-256", "X25519"};
  config.listeners[2].tls->client_ca = File{"/null"};
  config.upstreams = {{"null", {{{.host = "x.example", .port = 1}, 7}, {{.unix_path = "/u"}, 1}}},
                      {"1.5", {{{.host = "10.0.0.1", .port = 65535}, 256}}}};
  config.upstreams[0].tls = {false, File{"/auto"}, "x.example", Certificate{{"/c"}, {"/k"}}, TlsMinimum::tls13};
  config.upstreams[1].tls = UpstreamTls{};
  config.upstreams[1].tcp_keepalive = ms(0);
  config.upstreams[1].proxy_protocol = ProxyHeaderSent::v2;
  config.upstreams[0].servers.push_back({{.srv = "_a._tcp.b.example"}});
  config.upstreams[0].health = {
      ActiveHealth{ProbeType::http, "/a?$\\\"", ms(100), ms(200), 3, 4, {{200, 200}, {300, 399}}, "x.example", 9},
      PassiveHealth{6, ms(7'000), ms(8'000), 9, {{500, 599}}}};
  config.upstreams[1].health = {ActiveHealth{.type = ProbeType::grpc, .service = "a.B"}, std::nullopt};
  config.upstreams[0].resolve = {ms(61'000), NameFamily::ipv6, {{.host = "::1", .port = 53}}};
  config.upstreams[0].servers[0].max_connections = 3;
  config.upstreams[0].servers[0].backup = config.upstreams[0].servers[0].drain = true;
  config.upstreams[0].balancing = {.balance = Balance::hash,
                                   .hash = {HashBy::What::header, "X-'#`"},
                                   .sticky = Sticky{"$S", CookieSecure::always, SameSite::strict, ms(1'000)},
                                   .slow_start = ms(1),
                                   .queue = Queue{1, ms(2)},
                                   .keep_alive = {.requests = 2, .age = ms(3), .idle = ms(4), .connections = 0},
                                   .when_none_is_up = WhenNoneIsUp::refuse};
  config.routes = {{"1", {{"a.example", "*.b.example", "[::1]"}, "/a \"$\\ ${HOST} \xc3\xa9"}, "null"},
                   {"", {{}, "", "/: {1}, %"}, "1.5"},
                   {"default", {}, "1.5"}};
  using Asks = ValueCondition::Asks;
  config.routes.push_back({"everything",
                           {{},
                            "",
                            "",
                            "^/a\\.\"b$ ${HOST}",
                            {"GET", "PURGE"},
                            {{"x-a", Asks::value, "1 \"$\\ ${HOST}"}, {"b", Asks::present, ""}},
                            {{"${HOST}\"", Asks::absent, ""}, {"*", Asks::value, ""}},
                            {*parse_network("10.0.0.0/8"), *parse_network("::1")}},
                           "1.5"});
  config.routes.push_back({.name = "split", .match = {.path = "/split"}, .split = {{"null", 0}, {"1.5", 1'000'000}}});
  config.routes[0].retries = Retries{.attempts = 3, .on = on_reset | on_504, .budget = 1};
  config.routes[0].timeouts = {ms(1), ms(2'000), ms(60'000), ms(4), ms(5), ms(0), ms(3'600'000)};
  config.routes[0].limits = {0, 5000};
  config.routes[1].upgrades = {};
  config.routes[2].upgrades = {"spdy/3.1", "websocket"};
  config.routes[2].access_log = false;
  const auto text = [](std::string_view of) { return Template::parse(of).value(); };
  config.routes[0].path = {.strip_prefix = "/a", .add_prefix = "/b \"$", .replace = {}, .regex = {}};
  config.routes[0].host.to = HostRewrite::To::upstream;
  config.routes[0].request_headers = {.set = {{"X-A", text("{client} {{ $X \"")}, {"X-B", text("")}},
                                      .add = {{"X-C", text("1")}, {"X-C", text("2")}, {"X-D", text("[ ]")}},
                                      .remove = {"X-E", "null"}};
  config.routes[1].path.replace = text("/x{uri}");
  config.routes[2].path.regex = {.match = "^/(a|b)\\.\"$", .replace = "/${1}$0"};
  config.routes[1].host = {HostRewrite::To::literal, text("{host}.internal")};
  config.routes[1].response_headers = config.routes[0].request_headers;
  config.routes[0].gate.access = {.allow = std::vector<Network>{{.bits = 0}}, .deny = {Network{}}};
  config.routes[0].gate.rate_limit = RateLimit{1, ms(60'000), 2, {RateBy::What::header, "x-'#`"}};
  config.routes[1].gate.rate_limit = RateLimit{100'000, ms(1'000), 1, {RateBy::What::route, {}}};
  config.routes[1].gate.basic_auth = BasicAuth{"a $b", {"/p", {}}};
  config.maintenance = {File{"/m", {}}, 599, {{.bits = 0}}, ms(60'000)};
  Respond page{.status = 404, .file = File{"/page", {}}, .content_type = "a/b"};
  config.routes.push_back({.name = "page", .match = {.path = "/page"}, .gate = {.respond = page}});
  Respond lines{.status = 599, .body = "a\n\"b\"\t$\r\n"};
  config.routes.push_back({.name = "text", .match = {.path = "/text"}, .gate = {.respond = lines}});
  config.routes.push_back({.name = "old", .match = {.path = "/old"}, .gate = {.redirect = Redirect{"/new", 307}}});
  config.error_pages = {{404, {"/404"}}, {502, {"/502"}}};
  config.timeouts = {ms(1), ms(20), ms(3'000), ms(4'001), ms(60'000), ms(3'600'000),
                     ms(7), ms(10),   ms(0),       ms(8),       ms(9),        ms(0)};
  config.limits = {1024, 0, 9999, 123'456'789, 11, 0, 4 * 1024 * 1024, 17, 18, 19};
  config.handoff = {"/run/h$$.sock", ms(1), ms(2), ms(0), ms(4)};
  config.handoff.canary = Canary{25, ms(1'500), ms(61'000)};
  config.admin = {Address{.host = "fe80::1%eth0", .port = 9901}, std::nullopt, Address{.unix_path = "/run/$a"}};
  config.admin_token = "0123456789abcdef+/=";
  config.pid_file = "/run/'b'.pid # no comment";
  config.workers = 256;
  config.log = {LogLevel::debug, LogFormat::json, AccessLog{.path = "access: {log}", .format = AccessFormat::json}};
  config.underscores = Underscores::pass;
  config.listeners[2].trusted_proxies = TrustedProxies{{parse_network("10.1.2.3").value()}, false};
  config.listeners[2].proxy_protocol = ProxyProtocol::require;
  config.listeners[2].backlog = 1;
  config.listeners.push_back({"d", {{.port = 83}}, Protocol::tcp, "1.5"});
  config.listeners[3].routes = {
      {{.sni = {"a.example", "*.b.example"}, .alpn = {"h2", "a\"b"}, .client = {parse_network("::/0").value()}},
       "1.5",
       {},
       {}},
      {{.sni = {}, .alpn = {}, .client = {parse_network("10.0.0.1").value()}}, "null", {}, {}}};
  config.listeners[3].access = {.allow = std::vector{parse_network("10.0.0.0/8").value()},
                                .deny = {parse_network("10.6.0.0/16").value(), parse_network("::1").value()}};
  config.listeners[3].routes[0].access = config.listeners[3].access;
  config.listeners[2].tcp_keepalive = ms(0);
  config.listeners[1].tcp_keepalive = ms(90'000);
  config.listeners[0].trusted_proxies = TrustedProxies{};
  config.listeners[1].trusted_proxies = TrustedProxies{{parse_network("::1").value()}, true};
  config.trusted_proxies = {{parse_network("10.0.0.0/8").value(), parse_network("2001:db8::/32").value()}, true};
  config.forwarded = {.x_forwarded = false, .forwarded = true, .x_real_ip = true};
  config.request_id = {"X-Trace", true};
  config.tracing = Tracing::propagate;
  config.watch = Watch::all;
  return config;
}

TEST(Print, ReadsBackEqual) {
  EXPECT_EQ(config_of(print(unusual())), unusual());
  EXPECT_EQ(config_of(print(config_of(minimal))), config_of(minimal));
}

TEST(Print, ShowsNoRouteWhereThereIsNone) {
  Config config = unusual();
  config.listeners.erase(config.listeners.begin(), config.listeners.end() - 1);
  config.routes.clear();
  for (Upstream& upstream : config.upstreams) upstream.balancing = {};
  EXPECT_EQ(config_of(print(config)), config);
  EXPECT_FALSE(paths_of(print(config)).contains("routes"));
}

TEST(Print, ShowsNoTlsWhereThereIsNone) {
  const auto shown = paths_of(print(config_of(minimal)));
  EXPECT_FALSE(shown.contains("listeners.tls"));
  EXPECT_FALSE(shown.contains("upstreams.tls"));
  EXPECT_TRUE(shown.contains("watch"));
}

TEST(Print, ShowsTheDefaultsOfTls) {
  const std::string shown =
      print(config_of("version: 1\n"
                      "listeners: [ { name: web, bind: \":443\", tls: { certificates: [ { cert: /c, key: /k } ] } } ]\n"
                      "upstreams: [ { name: app, servers: [ { address: \"a:1\" } ], tls: {} } ]\n"));
  EXPECT_THAT(shown, testing::HasSubstr("    tls:\n"
                                        "      certificates:\n"
                                        "        - { cert: \"/c\", key: \"/k\" }\n"
                                        "      min_version: \"1.2\"\n"
                                        "      max_version: \"1.3\"\n"
                                        "      alpn: [\"h2\", \"http/1.1\", \"http/1.0\"]\n"
                                        "      client_auth: \"off\"\n"
                                        "      session_tickets: true\n"
                                        "routes:\n"));
  EXPECT_THAT(shown, testing::HasSubstr("    tls:\n"
                                        "      verify: true\n"
                                        "      ca: auto\n"
                                        "      server_name: auto\n"
                                        "      min_version: \"1.2\"\n"
                                        "timeouts:\n"));
}

TEST(Print, IsStable) {
  EXPECT_EQ(print(config_of(print(unusual()))), print(unusual()));
}

TEST(Print, ShowsEveryKey) {
  const auto shown = paths_of(print(unusual()));
  for (const KnownKey& key : known_keys()) EXPECT_TRUE(shown.contains(key.path)) << key.path;
}

TEST(Print, IsWrittenAsPeopleWriteIt) {
  EXPECT_THAT(print(config_of(minimal)), testing::StartsWith("version: 1\n"
                                                             "listeners:\n"
                                                             "  - name: \"web\"\n"
                                                             "    bind: [\"127.0.0.1:8080\"]\n"
                                                             "    protocol: http\n"));
  EXPECT_THAT(print(config_of(minimal)), testing::HasSubstr("routes:\n  - upstream: \"app\"\n"));
  EXPECT_THAT(print(config_of(minimal)), testing::HasSubstr("  tunnel_idle: 1h\n"));
  EXPECT_THAT(print(config_of(minimal)), testing::HasSubstr("  head_bytes: 32k\n"));
}

}  // namespace
}  // namespace baton::config
