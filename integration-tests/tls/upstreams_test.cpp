// Servers that speak TLS: nginx and HAProxy behind Baton, before, across and after upgrades.
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "tls/upstream_peers.hpp"

namespace baton::harness {
namespace {

// HAProxy requires a key, and the answer to it (RFC 6455 §1.3).
constexpr std::string_view websocket_fields =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

struct Peer {
  const char* name;
  std::unique_ptr<TlsServer> (*start)(const Address&, const TlsServerOptions&);
  const char* version;
};

void PrintTo(const Peer& peer, std::ostream* out) {
  *out << peer.name;
}

class TlsUpstreams : public testing::TestWithParam<Peer> {
 protected:
  Settings settings() const {
    Settings settings(server->address());
    settings.upstream_tls = "{ ca: " + authority.path() + ", server_name: origin.test }";
    settings.workers = 1;  // idle connections and sessions belong to a worker
    settings.handoff += ", finish_timeout: 100ms";
    return settings;
  }
  static std::string port_of(const Response& response) { return *response.field("X-Port"); }

  TempDir directory;
  Authority authority{directory};
  Origin origin;
  const std::unique_ptr<TlsServer> server =
      GetParam().start(origin.address(), {authority.issue({"origin.test"}), GetParam().version});
};

TEST_P(TlsUpstreams, IdleConnectionsAreReusedAndMove) {
  Baton baton(settings());
  Client client = baton.connect();
  const Response first = client.get("/bytes/3");
  EXPECT_EQ(first.body, pattern(3));
  EXPECT_EQ(first.field("X-Name"), "origin.test");
  for (int upgrades = 0; upgrades < 10; ++upgrades) {
    baton.upgrade();
    const Response again = client.get("/bytes/70000");
    EXPECT_EQ(port_of(again), port_of(first)) << "after " << upgrades << " upgrades";
    EXPECT_EQ(again.body, pattern(70'000));
  }
}

TEST_P(TlsUpstreams, ResponsesMoveInTheMiddle) {
  Baton baton(settings());
  Client client = baton.connect();
  int arrivals = 0;
  for (const char* path : {"/half/3000000", "/half-chunked/3000000"}) {
    origin.gate().shut();
    client.send(get_request(path));
    origin.gate().await_arrivals(++arrivals);
    for (int upgrades = 0; upgrades < 3; ++upgrades) baton.upgrade();
    origin.gate().open();
    EXPECT_TRUE(client.response().body == pattern(3'000'000)) << path;
  }
}

TEST_P(TlsUpstreams, UploadsMoveInTheMiddle) {
  Baton baton(settings());
  Client client = baton.connect();
  const std::string request = post_request("/count", pattern(3'000'000));
  std::size_t sent = 0;
  for (int upgrades = 0; upgrades < 10; ++upgrades) {
    client.send(std::string_view(request).substr(sent, 200'000));
    sent += 200'000;
    baton.upgrade();
  }
  client.send(std::string_view(request).substr(sent));
  EXPECT_EQ(client.response().body, "3000000 as sent");
}

TEST_P(TlsUpstreams, WebSocketsMove) {
  origin.on("/websocket/accepted", [](Exchange& exchange) {
    exchange.close = true;
    exchange.stream.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    while (exchange.stream.await_bytes_forever()) exchange.stream.send(exchange.stream.read_available());
    exchange.stream.half_close();
  });
  Baton baton(settings());
  Client client = baton.connect();
  ASSERT_EQ(client.get("/websocket/accepted", websocket_fields).status(), 101);
  for (int upgrades = 0; upgrades < 10; ++upgrades) {
    const std::string sent = pattern(static_cast<std::size_t>(90'000 + upgrades));
    client.send(sent);
    EXPECT_TRUE(client.read_exactly(1000) == sent.substr(0, 1000));
    baton.upgrade();
    EXPECT_TRUE(client.read_exactly(sent.size() - 1000) == sent.substr(1000));
  }
  client.half_close();
  EXPECT_EQ(client.read_to_fin(), "");
}

TEST_P(TlsUpstreams, SessionsAreResumed) {
  Baton baton(settings());
  Client busy = baton.connect(), other = baton.connect();
  const Response first = busy.get("/bytes/3");
  EXPECT_EQ(first.field("X-Resumed"), "0");
  // The held request occupies the idle connection, so the next one needs another.
  busy.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  const Response second = other.get("/bytes/3");
  EXPECT_NE(port_of(second), port_of(first));
  EXPECT_EQ(second.field("X-Resumed"), "1");
  origin.gate().open();
  EXPECT_EQ(busy.response().body, "held");
}

constexpr Peer peers[] = {{"Nginx_Tls13", nginx_before, "1.3"},
                          {"Nginx_Tls12", nginx_before, "1.2"},
                          {"Haproxy_Tls13", haproxy_before, "1.3"},
                          {"Haproxy_Tls12", haproxy_before, "1.2"}};
INSTANTIATE_TEST_SUITE_P(Peers, TlsUpstreams, testing::ValuesIn(peers), [](const auto& one) { return one.param.name; });

// OpenSSL's own server, controlled through its keyboard input: it sends KeyUpdates, which request ours.
TEST(TlsUpstream, MayChangeItsKeysBeforeBetweenAndAfterUpgrades) {
  TempDir directory;
  Authority authority(directory);
  const Certificate certificate = authority.issue({"origin.test"});
  const Address at = loopback(free_port());
  Process server({.argv = {"openssl", "s_server", "-accept", at.text(), "-cert", certificate.cert, "-key",
                           certificate.key, "-tls1_3"},
                  .has_input = true});
  server.await_line(Process::Stream::out, std::regex("^ACCEPT"));
  Settings settings(at);
  settings.protocol = "tcp";
  settings.upstream_tls = "{ ca: " + authority.path() + ", server_name: origin.test }";
  Baton baton(settings);
  Client client = baton.connect();
  const auto exchange = [&](const std::string& number) {
    client.send("to the server " + number + "\n");
    server.await_line(Process::Stream::out, std::regex("to the server " + number + "$"));
    server.type("to the client " + number + "\n");
    EXPECT_EQ(client.read_through("\n"), "to the client " + number + "\n");
  };
  exchange("before");
  for (int round = 0; round < 10; ++round) {
    server.type("K\n");
    if (round % 2 == 0) exchange("after a KeyUpdate " + std::to_string(round));
    baton.upgrade();
    exchange("after upgrade " + std::to_string(round));
    server.type("k\n");
    exchange("and another " + std::to_string(round));
  }
}

// A response without a length ends with the connection, so without close_notify it may be truncated.
TEST(TlsUpstream, AResponseThatIsCutWithoutCloseNotifyIsNotComplete) {
  TempDir directory;
  Authority authority(directory);
  const Certificate certificate = authority.issue({"origin.test"});
  const Address at = loopback(free_port());
  Process server(
      {.argv = {"openssl", "s_server", "-accept", at.text(), "-cert", certificate.cert, "-key", certificate.key},
       .has_input = true});
  server.await_line(Process::Stream::out, std::regex("^ACCEPT"));
  Settings settings(at);
  settings.upstream_tls = "{ ca: " + authority.path() + ", server_name: origin.test }";
  Baton baton(settings);
  Client client = baton.connect();
  client.send(get_request("/"));
  server.await_line(Process::Stream::out, std::regex("^GET / "));
  server.type("HTTP/1.1 200 OK\r\n\r\nhalf of it\n");
  client.read_through("half of it\n");
  server.signal(SIGKILL);
  std::string rest;
  EXPECT_EQ(client.read_to_end(rest), End::reset);
  EXPECT_EQ(rest, "");
}

}  // namespace
}  // namespace baton::harness
