// PROXY headers in front of connections: from ourselves in any pieces and across upgrades, and from HAProxy and nginx.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <regex>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/nginx.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

using namespace std::string_literals;

const std::string first = "PROXY TCP4 198.51.100.7 10.0.0.1 4660 80\r\n";
const std::string second = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc6\x33\x64\x07\x0a\x00\x00\x01\x12\x34\x00\x50"s;
const std::string local = "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"s;

class ProxyProtocol : public testing::Test {
 protected:
  // An http and a tcp listener with these keys.
  Settings with(const std::string& keys, const std::string& more = "trusted_proxies: 127.0.0.1\n") {
    Settings settings;
    settings.binds = {web};
    settings.topology = "listeners:\n  - { name: web, bind: \"" + web.text() + "\", " + keys +
                        " }\n  - { name: raw, bind: \"" + raw.text() + "\", protocol: tcp, " + keys +
                        " }\nupstreams:\n  - { name: app, servers: [ { address: \"" + origin.address().text() +
                        "\" } ] }\n";
    settings.log = "access: { path: \"-\", format: json }";
    settings.handoff += ", finish_timeout: 100ms";
    settings.more = more;
    return settings;
  }
  std::string seen_client() const { return origin.last_request().field("X-Forwarded-For").value_or("no field"); }

  Origin origin;
  const Address web = loopback(free_port());
  const Address raw = loopback(free_port());
};

TEST_F(ProxyProtocol, NamesTheClientOfEachRequest) {
  Baton baton(with("proxy_protocol: require"));
  for (const std::string& header : {first, second}) {
    Client client(web);
    client.send(header + get_request("/echo"));
    EXPECT_EQ(client.response().status(), 200);
    EXPECT_EQ(seen_client(), "198.51.100.7");
    baton.await_access_log(std::regex(R"("client":"198\.51\.100\.7","listener":"web")"));
    EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 6.6.6.6\r\n").status(), 200);
    EXPECT_EQ(seen_client(), "198.51.100.7") << "it is not trusted itself";
  }
  for (const std::string& header : {local, "PROXY UNKNOWN\r\n"s}) {
    Client client(web);
    client.send(header + get_request("/echo"));
    EXPECT_EQ(client.response().status(), 200);
    EXPECT_EQ(seen_client(), "127.0.0.1");
  }
}

TEST_F(ProxyProtocol, ComesBeforeRawBytesToo) {
  Baton baton(with("proxy_protocol: require"));
  Client client(raw);
  client.send(second + get_request("/echo"));
  EXPECT_EQ(client.response().status(), 200);
  EXPECT_EQ(origin.last_request().raw_head, get_request("/echo")) << "and the server gets none of it";
}

// Each byte by itself, and a move of the connection to another process after each part.
TEST_F(ProxyProtocol, ComesInPiecesAndMovesAtAnyByte) {
  Baton baton(with("proxy_protocol: require"));
  for (const std::string& header : {first, second}) {
    Client client(web);
    for (const char byte : header) client.send(std::string(1, byte));
    EXPECT_EQ(client.get("/echo").status(), 200);
    EXPECT_EQ(seen_client(), "198.51.100.7");
    for (const std::size_t part : {std::size_t{0}, std::size_t{1}, header.size() / 2, header.size() - 1}) {
      Client moved(web);
      Client tunnel(raw);
      for (Client* one : {&moved, &tunnel}) one->send(header.substr(0, part));
      baton.await_number(part == 0 ? "connections.idle" : "connections.head", part == 0 ? 3 : 2);
      const std::string report = baton.upgrade();
      EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
      moved.send(header.substr(part) + get_request("/echo"));
      EXPECT_EQ(moved.response().status(), 200);
      EXPECT_EQ(seen_client(), "198.51.100.7") << part;
      tunnel.send(header.substr(part) + get_request("/echo"));
      EXPECT_EQ(tunnel.response().status(), 200);
      EXPECT_FALSE(origin.last_request().field("X-Forwarded-For"));
      moved.half_close();
      moved.expect_fin();
      tunnel.half_close();
      (void)tunnel.read_to_fin();
    }
    client.half_close();
    client.expect_fin();
    baton.await_number("connections.total", 0);
  }
}

TEST_F(ProxyProtocol, ComesBeforeTls) {
  TempDir dir;
  Authority authority(dir);
  const Certificate certificate = authority.issue({"localhost"});
  Baton baton(with("proxy_protocol: accept, tls: { certificates: [ " + certificate.yaml() + " ] }"));
  for (const bool with_header : {true, false}) {
    TlsClient client(web, {}, TlsClient::Handshake::later);
    if (with_header) client.send_raw(second);
    client.shake_hands();
    EXPECT_EQ(client.get("/echo").status(), 200);
    EXPECT_EQ(seen_client(), with_header ? "198.51.100.7" : "127.0.0.1");
    EXPECT_EQ(origin.last_request().field("X-Forwarded-Proto"), "https");
  }
}

TEST_F(ProxyProtocol, MayBeLeftOutWhereItIsOnlyAccepted) {
  Baton baton(with("proxy_protocol: accept"));
  Client client(web);
  EXPECT_EQ(client.get("/echo").status(), 200);
  EXPECT_EQ(seen_client(), "127.0.0.1");
  EXPECT_EQ(client.post("/echo", "PROXY").status(), 200);
  Client other(web);
  other.send("P");
  other.send("OST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(other.response().status(), 200);
}

// A browser connects ahead of its first request, and some protocols begin with the server.
TEST_F(ProxyProtocol, ASilentClientIsNotClosedWhereItIsOnlyAccepted) {
  Settings settings = with("proxy_protocol: accept");
  settings.timeouts = "handshake: 200ms, head: 60s";
  Baton baton(settings);
  Client client(web);
  Client tunnel(raw);
  origin.await_open_connections(1);
  EXPECT_EQ(client.get("/echo").status(), 200);
}

TEST_F(ProxyProtocol, OthersAreClosed) {
  const std::pair<std::string, std::string> cases[] = {{get_request("/echo"), "it does not begin with a PROXY header"},
                                                       {"PROXY TCP4 nonsense\r\n", "its PROXY header is malformed"}};
  for (const auto& [bytes, why] : cases) {
    Baton baton(with("proxy_protocol: require"));
    for (const Address& to : {web, raw}) {
      Client client(to);
      client.send_what_goes(bytes);
      std::string nothing;
      client.read_to_end(nothing);
      EXPECT_EQ(nothing, "");
    }
    baton.await_log(std::regex(" info .*the connection of 127\\.0\\.0\\.1:[0-9]+ on web is closed: " + why));
  }
  EXPECT_EQ(origin.accepted(), 0u);
}

TEST_F(ProxyProtocol, UntrustedPeersAreClosed) {
  for (const char* mode : {"accept", "require"}) {
    Baton baton(with("proxy_protocol: "s + mode, "trusted_proxies: 10.0.0.0/8\n"));
    for (const Address& to : {web, raw}) {
      Client client(to);
      client.send_what_goes(first + get_request("/echo"));
      std::string nothing;
      client.read_to_end(nothing);
      EXPECT_EQ(nothing, "") << mode;
    }
    EXPECT_TRUE(origin.requests().empty());
    baton.await_log(std::regex("is closed: it (sends a|must send a) PROXY header and is not in trusted_proxies"));
  }
}

TEST_F(ProxyProtocol, AnIncompleteHeaderIsNotAwaitedForEver) {
  Settings settings = with("proxy_protocol: require");
  settings.timeouts = "handshake: 200ms, head: 60s";
  Baton baton(settings);
  Client client(web);
  client.send(first.substr(0, 10));
  client.expect_fin();
  baton.await_log(std::regex("is closed: timeouts.handshake: the PROXY header is not complete"));
}

TEST_F(ProxyProtocol, AReloadThatSwitchesItOffDoesNotWaitAnyLonger) {
  Baton baton(with("proxy_protocol: accept"));
  Client client(web);
  client.send("P");
  baton.await_number("connections.head", 1);
  baton.reload(with("proxy_protocol: off"));
  client.send("OST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.response().status(), 200);
}

// ── Real load balancers ───────────────────────────────────────────────────────────────────────────────────────────

class FromHaproxy : public ProxyProtocol, public testing::WithParamInterface<const char*> {};

TEST_P(FromHaproxy, TheClientIsTheirs) {
  if (::access("/usr/sbin/haproxy", X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
  Baton baton(with("proxy_protocol: require"));
  TempDir dir;
  const Address front = loopback(free_port());
  replace_file(
      dir / "haproxy.cfg",
      "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\nlisten front\n  bind " +
          front.text() + " accept-proxy\n  server baton " + web.text() + " " + GetParam() + " check\n");
  Process haproxy({{"/usr/sbin/haproxy", "-db", "-f", dir / "haproxy.cfg"}});
  await([&] { return is_listening(front); }, "haproxy to listen");
  Client client(front);
  client.send("PROXY TCP6 2001:db8::7 2001:db8::1 4660 80\r\n" + get_request("/echo"));
  EXPECT_EQ(client.response().status(), 200) << haproxy.err();
  EXPECT_EQ(seen_client(), "2001:db8::7");
}

INSTANTIATE_TEST_SUITE_P(Versions, FromHaproxy,
                         testing::Values("send-proxy", "send-proxy-v2",
                                         "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
                         [](const auto& i) { return "Way" + std::to_string(i.index); });

TEST_F(ProxyProtocol, OfNginxNamesItsClient) {
  const char* const module = "/usr/lib/nginx/modules/ngx_stream_module.so";
  if (!Nginx::installed() || ::access(module, R_OK) != 0) GTEST_SKIP() << "nginx's stream module is not installed";
  Baton baton(with("proxy_protocol: require"));
  TempDir dir;
  const Address front = loopback(free_port());
  replace_file(dir / "nginx.conf", "load_module "s + module + ";\ndaemon off; master_process off; pid " +
                                       (dir / "pid") + "; error_log stderr;\nevents { }\nstream { server { listen " +
                                       front.text() + "; proxy_protocol on; proxy_pass " + web.text() + "; } }\n");
  Process nginx({{"/usr/sbin/nginx", "-p", dir.path(), "-e", "stderr", "-c", dir / "nginx.conf"}});
  await([&] { return is_listening(front); }, "nginx to listen");
  Client client(front);
  EXPECT_EQ(client.get("/echo").status(), 200) << nginx.err();
  EXPECT_EQ(seen_client(), "127.0.0.1");
}

// ── To servers ────────────────────────────────────────────────────────────────────────────────────────────────────

// A second Baton demands the headers that the first one sends.
class ToServers : public ProxyProtocol, public testing::WithParamInterface<const char*> {
 protected:
  Settings outer(const std::string& keys = "") const {
    Settings settings;
    settings.binds = {front};
    settings.topology = "listeners:\n  - { name: web, bind: \"" + front.text() + "\" }\n  - { name: raw, bind: \"" +
                        front_raw.text() +
                        "\", protocol: tcp }\nupstreams:\n  - { name: inner, proxy_protocol: " + GetParam() + keys +
                        ", servers: [ { address: \"" + web.text() + "\" } ] }\n";
    settings.handoff += ", finish_timeout: 100ms";
    settings.more = "trusted_proxies: 127.0.0.1\nforwarded: []\n";
    return settings;
  }
  const Address front = loopback(free_port());
  const Address front_raw = loopback(free_port());
};

INSTANTIATE_TEST_SUITE_P(Versions, ToServers, testing::Values("v1", "v2"),
                         [](const auto& i) { return std::string(i.param); });

TEST_P(ToServers, EachRequestNamesItsOwnClient) {
  const Baton inner(with("proxy_protocol: require"));
  Baton baton(outer());
  Client client(front);
  for (const char* address : {"198.51.100.7", "2001:db8::7", "198.51.100.8"}) {
    EXPECT_EQ(client.get("/echo", "X-Forwarded-For: "s + address + "\r\n").status(), 200);
    EXPECT_EQ(seen_client(), address) << "no connection serves another client";
  }
  EXPECT_EQ(client.get("/echo", "X-Forwarded-For: unknown\r\n").status(), 200);
  EXPECT_EQ(seen_client(), "127.0.0.1") << "a header without addresses leaves the peer";
  Client tunnel(front_raw);
  tunnel.send(get_request("/echo"));
  EXPECT_EQ(tunnel.response().status(), 200);
  EXPECT_EQ(seen_client(), "127.0.0.1");
}

TEST_P(ToServers, TheHeaderComesBeforeTls) {
  TempDir dir;
  Authority authority(dir);
  const Certificate certificate = authority.issue({"localhost"});
  const Baton inner(with("proxy_protocol: require, tls: { certificates: [ " + certificate.yaml() + " ] }"));
  Baton baton(outer(", tls: { verify: false }"));
  Client client(front);
  for (const char* address : {"198.51.100.7", "198.51.100.8"}) {
    EXPECT_EQ(client.get("/echo", "X-Forwarded-For: "s + address + "\r\n").status(), 200);
    EXPECT_EQ(seen_client(), address);
  }
}

// ── To real servers ───────────────────────────────────────────────────────────────────────────────────────────────

// Baton in front of a server that says which client it was told of: as "ADDRESS PORT", without a port that is 0.
class ToRealServers : public ToServers {
 protected:
  void expect_that_clients_are_named(const Address& server) {
    Settings settings = outer();
    settings.topology.replace(settings.topology.find(web.text()), web.text().size(), server.text());
    Baton baton(settings);
    for (const bool is_moved : {false, true}) {
      for (const Address& to : {front, front_raw}) {
        Client client(to);
        EXPECT_EQ(client.get("/").body, "127.0.0.1 " + std::to_string(client.local_port())) << to.text();
      }
      Client client(front);
      for (const char* address : {"198.51.100.7", "2001:db8::7", "198.51.100.8"}) {
        EXPECT_EQ(client.get("/", "X-Forwarded-For: "s + address + "\r\n").body, address + " "s);
      }
      if (!is_moved) baton.upgrade();
      EXPECT_EQ(client.get("/", "X-Forwarded-For: 198.51.100.9\r\n").body, "198.51.100.9 ");
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, ToRealServers, testing::Values("v1", "v2"),
                         [](const auto& i) { return std::string(i.param); });

TEST_P(ToRealServers, NginxLearnsItsClients) {
  if (!Nginx::installed()) GTEST_SKIP() << "nginx is not installed";
  const Nginx nginx("proxy_protocol", "location / { return 200 \"$proxy_protocol_addr $proxy_protocol_port\"; }");
  expect_that_clients_are_named(nginx.address());
}

TEST_P(ToRealServers, HaproxyLearnsItsClients) {
  if (::access("/usr/sbin/haproxy", X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
  TempDir dir;
  const Address server = loopback(free_port());
  replace_file(dir / "haproxy.cfg",
               "defaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n"
               "frontend server\n  bind " +
                   server.text() +
                   " accept-proxy\n"
                   "  http-request return status 200 content-type text/plain lf-string \"%[src] %[src_port]\"\n");
  const Process haproxy({{"/usr/sbin/haproxy", "-db", "-f", dir / "haproxy.cfg"}});
  await([&] { return is_listening(server); }, "haproxy to listen");
  expect_that_clients_are_named(server);
}

// What waits for its response moves with its connection, and what comes next makes a new one.
TEST_P(ToServers, SurviveAnUpgrade) {
  const Baton inner(with("proxy_protocol: require"));
  Baton baton(outer());
  origin.on("/late", [](Exchange& exchange) {
    exchange.origin.gate().pass();
    exchange.respond("late");
  });
  Client client(front);
  client.send(get_request("/late", "X-Forwarded-For: 198.51.100.7\r\n"));
  origin.await_requests(1);
  const std::string report = baton.upgrade();
  EXPECT_NE(report.find("taken_back=0, refused=0"), std::string::npos) << report;
  origin.gate().open();
  EXPECT_EQ(client.response().body, "late");
  EXPECT_EQ(seen_client(), "198.51.100.7");
  EXPECT_EQ(client.get("/echo", "X-Forwarded-For: 198.51.100.8\r\n").status(), 200);
  EXPECT_EQ(seen_client(), "198.51.100.8");
}

}  // namespace
}  // namespace baton::harness
