// A tcp listener that chooses the upstream by the ClientHello: TLS servers with certificates of their own say which one
// a client has reached.
#include <gtest/gtest.h>

#include <regex>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

class TcpRoutes : public testing::Test {
 protected:
  // TLS listeners a, b and c, and in front of them a tcp listener with these routes and c as its upstream.
  Settings with(const std::string& routes, const std::string& more = "") {
    std::string listeners = "listeners:\n";
    std::string upstreams =
        "upstreams:\n  - { name: app, servers: [ { address: \"" + origin.address().text() + "\" } ] }\n";
    for (std::size_t i = 0; i < names.size(); ++i) {
      listeners += "  - { name: " + names[i] + ", bind: \"" + servers[i].text() + "\", tls: { certificates: [ " +
                   certificates[i].yaml() + " ] } }\n";
      upstreams += "  - { name: " + names[i] + ", servers: [ { address: \"" + servers[i].text() + "\" } ] }\n";
    }
    listeners += "  - { name: front, bind: \"" + front.text() + "\", protocol: tcp, upstream: c, routes: [ " + routes +
                 " ]" + more + " }\n";
    Settings settings;
    settings.binds = {front};
    settings.topology = listeners + upstreams + "routes: [ { upstream: app } ]\n";
    settings.handoff += ", finish_timeout: 100ms";
    return settings;
  }
  static std::string reached(const Address& to, const TlsOptions& options) {
    TlsClient client(to, options);
    EXPECT_EQ(client.get("/echo").status(), 200);
    return client.server_common_name();
  }

  const std::vector<std::string> names{"a", "b", "c"};
  TempDir dir;
  Authority authority{dir};
  const std::vector<Certificate> certificates{authority.issue({"a"}), authority.issue({"b"}), authority.issue({"c"})};
  const std::vector<Address> servers{loopback(free_port()), loopback(free_port()), loopback(free_port())};
  const Address front = loopback(free_port());
  Origin origin;
};

const std::string by_name = "{ match: { sni: a.test }, upstream: a }, { match: { sni: \"*.test\" }, upstream: b }";

TEST_F(TcpRoutes, ConnectionsGoWhereTheirClientHelloSays) {
  Baton baton(with(by_name + ", { match: { alpn: http/1.0 }, upstream: a }"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_EQ(reached(front, {.version = version, .server_name = "a.test"}), "a");
    EXPECT_EQ(reached(front, {.version = version, .server_name = "A.TEST"}), "a");
    EXPECT_EQ(reached(front, {.version = version, .server_name = "x.a.test"}), "b");
    EXPECT_EQ(reached(front, {.version = version, .server_name = "other"}), "c");
    EXPECT_EQ(reached(front, {.version = version}), "c");
    EXPECT_EQ(reached(front, {.version = version, .alpn = "http/1.0"}), "a");
    EXPECT_EQ(reached(front, {.version = version, .server_name = "x.test", .alpn = "http/1.0"}), "b");
  }
}

TEST_F(TcpRoutes, TheClientsAddressCountsAlone) {
  Baton baton(with("{ match: { client: 127.0.0.0/8 }, upstream: a }, { match: { client: 10.0.0.0/8 }, upstream: b }"));
  EXPECT_EQ(reached(front, {}), "a");
}

// The ClientHello comes in two pieces, and the connection moves in between.
TEST_F(TcpRoutes, AConnectionMovesAtAnyByteOfItsClientHello) {
  Baton baton(with(by_name, ", proxy_protocol: accept, trusted_proxies: 127.0.0.1"));
  for (const bool with_header : {false, true}) {
    for (const double share : {0.0, 0.01, 0.5, 0.99}) {
      TlsClient client(front, {.server_name = "x.test"}, TlsClient::Handshake::later);
      if (with_header) client.send_raw("PROXY TCP4 10.1.1.1 10.1.1.2 1 2\r\n");
      const std::string hello = client.next_flight();
      const auto part = static_cast<std::size_t>(share * static_cast<double>(hello.size()));
      client.send_raw(hello.substr(0, part));
      baton.await_number(part == 0 ? "connections.idle" : "connections.head", 1);
      const std::string report = baton.upgrade();
      EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
      client.send_raw(hello.substr(part));
      client.shake_hands();
      EXPECT_EQ(client.server_common_name(), "b");
      client.half_close();
      std::string rest;
      (void)client.read_to_end(rest);
      baton.await_number("connections.total", 0);
    }
  }
}

TEST_F(TcpRoutes, AReloadDecidesForThoseThatAreNotDecided) {
  Baton baton(with(by_name));
  TlsClient client(front, {.server_name = "a.test"}, TlsClient::Handshake::later);
  const std::string hello = client.next_flight();
  client.send_raw(hello.substr(0, 20));
  baton.await_number("connections.head", 1);
  baton.reload(with("{ match: { sni: a.test }, upstream: b }"));
  client.send_raw(hello.substr(20));
  client.shake_hands();
  EXPECT_EQ(client.server_common_name(), "b");
}

TEST_F(TcpRoutes, WhatIsNoTlsGoesToTheUpstreamOfTheListener) {
  Origin plain;
  Settings settings = with(by_name);
  const std::string from = "upstream: c, routes";
  settings.topology.replace(settings.topology.find(from), from.size(), "upstream: plain, routes");
  const std::string app = "  - { name: app,";
  settings.topology.replace(settings.topology.find(app), 0,
                            "  - { name: plain, servers: [ { address: \"" + plain.address().text() + "\" } ] }\n");
  settings.timeouts = "handshake: 200ms, head: 60s";
  Baton baton(settings);
  Client client(front);
  EXPECT_EQ(client.get("/echo").status(), 200);
  EXPECT_EQ(plain.requests().size(), 1u);
  Client silent(front);
  plain.await_open_connections(2);
  EXPECT_EQ(silent.get("/echo").status(), 200);
  Client late(front);
  late.send("\x16\x03\x01\x02");
  late.expect_fin();
  baton.await_log(std::regex("is closed: timeouts.handshake: the ClientHello is not complete"));
}

}  // namespace
}  // namespace baton::harness
