// Configurations that load, and their values.
#include "config/load.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"

namespace baton::config {
namespace {

TEST(Load, TheMinimalFileHasADefaultForEverythingElse) {
  Config expected;
  expected.listeners = {{.name = "web", .bind = {{.host = "127.0.0.1", .port = 8080}}}};
  expected.upstreams = {{.name = "app", .servers = {{.address = {.host = "127.0.0.1", .port = 9000}}}}};
  expected.routes = {{.upstream = "app"}};
  EXPECT_EQ(config_of(minimal), expected);
}

TEST(Load, EverySettingArrivesWhereItBelongs) {
  const Config config =
      config_of(minimal +
                "timeouts: { handshake: 1s, head: 2s, body: 3s, send: 4s, idle: 5s, connect: 6s,\n"
                "  response: 7s, response_body: 10s, total: 11s, upstream_idle: 8s, tunnel_idle: 9s,\n"
                "  shutdown: 0 }\n"
                "limits: { head_bytes: 16k, uri_bytes: 4k, fields: 10, body_bytes: 1g,\n"
                "  requests_per_connection: 7, connections: 500, buffer_bytes: 4k }\n"
                "handoff: { socket: /run/h.sock, ready_timeout: 1s, step_timeout: 2s,\n"
                "  finish_timeout: 0, drain_timeout: 4s, probation: 5s }\n"
                "admin: { bind: unix:/run/a.sock }\n"
                "pid_file: /run/b.pid\n"
                "workers: 3\n"
                "log: { level: error, format: json, access: { path: \"-\", format: json } }\n"
                "underscores: pass\n"
                "watch: true\n"
                "via: false\n");
  const auto seconds = [](int count) { return Milliseconds(1000 * count); };
  EXPECT_EQ(config.timeouts, (Timeouts{seconds(1), seconds(2), seconds(3), seconds(4), seconds(5), seconds(6),
                                       seconds(7), seconds(10), seconds(11), seconds(8), seconds(9), seconds(0)}));
  EXPECT_EQ(config.limits, (Limits{16 * 1024, 4 * 1024, 10, 1 << 30, 7, 500, 4096}));
  EXPECT_EQ(config.handoff, (Handoff{"/run/h.sock", seconds(1), seconds(2), seconds(0), seconds(4), seconds(5)}));
  EXPECT_EQ(config.admin, (std::vector<std::optional<Address>>{Address{.unix_path = "/run/a.sock"}}));
  EXPECT_EQ(config.pid_file, "/run/b.pid");
  EXPECT_EQ(config.workers, 3u);
  EXPECT_EQ(config.log, (Log{LogLevel::error, LogFormat::json, AccessLog{.path = "-", .format = AccessFormat::json}}));
  EXPECT_EQ(config.underscores, Underscores::pass);
  EXPECT_EQ(config.watch, Watch::all);
}

TEST(Load, AListenerBindsOneAddressOrAList) {
  const Config config = config_of(
      "version: 1\n"
      "listeners: [ { name: a, bind: [ \":80\", \"[::1]:81\" ] }, { name: b, bind: unix:/b } ]\n"
      "upstreams: [ { name: app, servers: [ { address: unix:/app, weight: 256 } ] } ]\n");
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[0].bind, (std::vector<Address>{{.port = 80}, {.host = "::1", .port = 81}}));
  EXPECT_EQ(config.listeners[1].bind, (std::vector<Address>{{.unix_path = "/b"}}));
  EXPECT_EQ(config.upstreams[0].servers, (std::vector<Server>{{{.unix_path = "/app"}, 256}}));
}

const char* with_token(const char* name) {
  return std::string_view(name) == "TOKEN" ? "of-the-environment-0" : nullptr;
}

TEST(Load, AdminMayHaveATokenFromTheEnvironment) {
  EXPECT_EQ(config_of(minimal).admin_token, "");
  EXPECT_EQ(config_of(minimal + "admin: { token: 0123456789abcdef }\n").admin_token, "0123456789abcdef");
  const auto loaded = load_text(minimal + "admin: { token: \"${TOKEN}\" }\n", "f", with_token);
  ASSERT_TRUE(std::holds_alternative<Config>(loaded));
  EXPECT_EQ(std::get<Config>(loaded).admin_token, "of-the-environment-0");
}

TEST(Load, PeopleAreNotShownTheToken) {
  const Config config = config_of(minimal + "admin: { token: 0123456789abcdef }\n");
  EXPECT_NE(print(config).find("0123456789abcdef"), std::string::npos);
  const std::string shown = print_without_secrets(config);
  EXPECT_EQ(shown.find("0123456789abcdef"), std::string::npos);
  EXPECT_NE(shown.find("  token: \"***\"\n"), std::string::npos) << shown;
  EXPECT_TRUE(std::holds_alternative<Problems>(load_text(shown, "f", with_token)));
}

TEST(Load, AdminBindsOneAddressOrAList) {
  using Addresses = std::vector<std::optional<Address>>;
  const auto admin = [](const std::string& bind) { return config_of(minimal + "admin: { bind: " + bind + " }\n").admin; };
  EXPECT_EQ(config_of(minimal).admin, Addresses{std::nullopt});
  EXPECT_EQ(admin("auto"), Addresses{std::nullopt});
  EXPECT_EQ(admin("unix:/a"), Addresses{Address{.unix_path = "/a"}});
  EXPECT_EQ(admin("[ unix:/a, \"127.0.0.1:9901\" ]"),
            (Addresses{Address{.unix_path = "/a"}, Address{.host = "127.0.0.1", .port = 9901}}));
  EXPECT_EQ(admin("[ auto, \":9901\" ]"), (Addresses{std::nullopt, Address{.port = 9901}}));
}

TEST(Load, AnAddressAndAPathKnowWhereTheyStood) {
  const Config config = config_of(minimal + "admin: { bind: [ auto, unix:/a ] }\nhandoff: { socket: /h }\npid_file: /p\n"
                                            "log: { access: { path: /a } }\nlimits: { connections: 5 }\n");
  EXPECT_EQ(config.listeners[0].bind[0].where, (Position{"f", 4, 11}));
  EXPECT_EQ(config.upstreams[0].servers[0].address.where, (Position{"f", 7, 27}));
  EXPECT_EQ(config.admin[1]->where, (Position{"f", 8, 24}));
  EXPECT_EQ(config.places.handoff_socket, (Position{"f", 9, 20}));
  EXPECT_EQ(config.places.pid_file, (Position{"f", 10, 11}));
  EXPECT_EQ(config.places.access_log, (Position{"f", 11, 24}));
  EXPECT_EQ(config.places.connections, (Position{"f", 12, 24}));
  EXPECT_EQ(config_of(minimal).places.pid_file, Position{});
}

TEST(Load, AListenerKnowsWhereItStood) {
  const Config config = config_of(minimal);
  EXPECT_EQ(config.listeners.front().where, (Position{"f", 3, 5}));
}

TEST(Load, TheRouteChoosesAmongUpstreams) {
  const Config config = config_of(minimal +
                                  "  - name: other\n"
                                  "    servers: [ { address: \"127.0.0.1:9001\" } ]\n"
                                  "routes: [ { upstream: other } ]\n");
  EXPECT_EQ(config.routes, (std::vector<Route>{{.upstream = "other"}}));
  ASSERT_NE(config.find_upstream("other"), nullptr);
  EXPECT_EQ(config.find_upstream("other")->servers.front().address.port, 9001);
  EXPECT_EQ(config.find_upstream("third"), nullptr);
}

// Two upstreams and the given listeners.
std::string with_two_upstreams(const std::string& listeners) {
  return "version: 1\nlisteners: [ " + listeners +
         " ]\n"
         "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] },\n"
         "             { name: db, servers: [ { address: \"127.0.0.1:5432\" } ] } ]\n";
}

TEST(Load, ATcpListenerNamesItsUpstreamAndHttpHasNone) {
  const Config config = config_of(with_two_upstreams("{ name: web, bind: \":80\" },\n"
                                                     "{ name: db, bind: \":81\", protocol: tcp, upstream: db }") +
                                  "routes: [ { upstream: app } ]\n");
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[0].protocol, Protocol::http);
  EXPECT_EQ(config.listeners[0].upstream, "");
  EXPECT_EQ(config.listeners[1].protocol, Protocol::tcp);
  EXPECT_EQ(config.listeners[1].upstream, "db");
  EXPECT_EQ(config.routes, (std::vector<Route>{{.upstream = "app"}}));
}

TEST(Load, ATcpListenerTakesTheOnlyUpstream) {
  const Config config = config_of(
      "version: 1\n"
      "listeners: [ { name: db, bind: \":81\", protocol: tcp } ]\n"
      "upstreams: [ { name: app, servers: [ { address: \"127.0.0.1:9000\" } ] } ]\n");
  EXPECT_EQ(config.listeners.front().upstream, "app");
  EXPECT_EQ(config.routes, (std::vector<Route>{{.upstream = "app"}}));
}

TEST(Load, TcpListenersAloneNeedNoRoute) {
  const std::string yaml = with_two_upstreams("{ name: db, bind: \":81\", protocol: tcp, upstream: db }");
  EXPECT_TRUE(config_of(yaml).routes.empty());
  EXPECT_EQ(config_of(yaml + "routes: [ { upstream: app } ]\n").routes.size(), 1u);
}

TEST(Load, ListenersOfDifferentUpstreamsDiffer) {
  const Listener one{.name = "a", .protocol = Protocol::tcp, .upstream = "app"};
  Listener other = one;
  other.where = {"f", 1, 1};
  EXPECT_EQ(one, other);
  other.upstream = "db";
  EXPECT_NE(one, other);
}

TEST(Load, TheLargestBuffersAndHeadsAreTaken) {
  const Config config = config_of(minimal + "limits: { head_bytes: 1m, uri_bytes: 1m, buffer_bytes: 4m }\n");
  EXPECT_EQ(config.limits.head_bytes, head_bytes_max);
  EXPECT_EQ(config.limits.uri_bytes, head_bytes_max);
  EXPECT_EQ(config.limits.buffer_bytes, buffer_bytes_max);
}

TEST(Load, ValuesComeFromTheEnvironment) {
  const Config config = config_of(minimal +
                                  "pid_file: /run/${HOST}.pid\n"
                                  "workers: ${WORKERS:-4}\n"
                                  "timeouts: { idle: \"${IDLE:-9s}\" }\n"
                                  "log: { access: { path: \"${ACCESS:-}\" } }\n");
  EXPECT_EQ(config.pid_file, "/run/10.1.2.3.pid");
  EXPECT_EQ(config.workers, 4u);
  EXPECT_EQ(config.timeouts.idle, Milliseconds(9000));
  EXPECT_EQ(config.log.access, std::nullopt);
}

TEST(Load, AnAccessLogWithoutAPathIsOff) {
  EXPECT_EQ(config_of(minimal + "log: { access: { format: json } }\n").log, Log{});
}

TEST(Load, AutoIsTheDefault) {
  EXPECT_EQ(config_of(minimal + "workers: auto\n"
                                "pid_file: auto\n"
                                "limits: { connections: auto }\n"
                                "handoff: { socket: auto }\n"
                                "admin: { bind: auto }\n"),
            config_of(minimal));
}

TEST(Load, AnEmptySectionIsItsDefaults) {
  EXPECT_EQ(config_of(minimal + "timeouts:\nlimits: {}\nlog:\n  # nothing yet\n"), config_of(minimal));
}

TEST(Load, ZeroIsNoLimit) {
  const Config config = config_of(minimal +
                                  "limits: { uri_bytes: 0, fields: 0, body_bytes: 0, requests_per_connection: 0,\n"
                                  "  connections: 0 }\n");
  EXPECT_EQ(config.limits.uri_bytes, 0u);
  EXPECT_EQ(config.limits.fields, 0u);
  EXPECT_EQ(config.limits.connections, 0u);
}

TEST(Load, TheDefaultOfUriBytesGivesWayToASmallerHead) {
  const Config config = config_of(minimal + "limits: { head_bytes: 4k }\n");
  EXPECT_EQ(config.limits.uri_bytes, 4096u);
}

TEST(Load, AnchorsAndAliasesAreCopies) {
  const Config config = config_of(
      "version: 1\n"
      "listeners: [ { name: &name web, bind: \"127.0.0.1:8080\" } ]\n"
      "upstreams: [ { name: *name, servers: &servers [ { address: \"127.0.0.1:9000\" } ] },\n"
      "             { name: b, servers: *servers } ]\n"
      "routes: [ { upstream: *name } ]\n");
  EXPECT_EQ(config.routes, (std::vector<Route>{{.upstream = "web"}}));
  EXPECT_EQ(config.upstreams[1].servers, config.upstreams[0].servers);
}

TEST(Load, TakesWindowsLineEndsAndAByteOrderMark) {
  std::string text = "\xef\xbb\xbf";
  for (const char c : minimal) text += c == '\n' ? "\r\n" : std::string(1, c);
  EXPECT_EQ(config_of(text), config_of(minimal));
}

TEST(Load, TakesAnyOrderOfKeys) {
  EXPECT_EQ(config_of("routes: [ { upstream: app } ]\n"
                      "upstreams: [ { servers: [ { address: \"127.0.0.1:9000\" } ], name: app } ]\n"
                      "listeners: [ { bind: \"127.0.0.1:8080\", name: web } ]\n"
                      "version: 1\n"),
            config_of(minimal));
}

}  // namespace
}  // namespace baton::config
