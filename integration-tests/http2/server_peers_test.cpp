// Others as servers of HTTP/2: nginx, HAProxy and nghttpd, for clients of HTTP/1.1 and of HTTP/2, through live
// upgrades.
#include <gtest/gtest.h>

#include "harness/http2_client.hpp"
#include "harness/nginx.hpp"
#include "harness/process.hpp"
#include "http2/chain.hpp"

namespace baton::harness {
namespace {

class PeersAsServers : public Chain {
 protected:
  void begin_before(const Address& server) {
    Settings settings(server);
    settings.server_protocol = "http2";
    settings.handoff += ", finish_timeout: 50ms";
    front.emplace(settings);
  }
  // Many streams of one client at a time, and single requests of another, while the front is upgraded.
  void expect_served(const std::string& small, std::size_t small_bytes, const std::string& large,
                     std::size_t large_bytes) {
    Http2Client many(front->address());
    Client one(front->address());
    for (int i = 0; i < 4; ++i) {
      std::vector<std::int32_t> streams;
      for (int k = 0; k < 30; ++k) streams.push_back(many.begin_get(k % 5 == 0 ? large : small));
      EXPECT_EQ(one.get(large).body, pattern(large_bytes));
      EXPECT_EQ(one.get(small).body, pattern(small_bytes));
      front->upgrade();
      for (std::size_t k = 0; k < streams.size(); ++k) {
        const Http2Response& got = many.await_end(streams[k]);
        EXPECT_EQ(got.status, 200);
        EXPECT_TRUE(got.body == pattern(k % 5 == 0 ? large_bytes : small_bytes));
      }
      one.send("HEAD " + large + " HTTP/1.1\r\nHost: test\r\n\r\n");
      EXPECT_EQ(one.response(BodyIs::absent).status(), 200);
      EXPECT_EQ(one.get("/nothing").status(), 404);
    }
    EXPECT_FALSE(many.goaway());
  }
};

TEST_F(PeersAsServers, Nginx) {
  if (!Nginx::installed()) GTEST_SKIP() << "nginx is not installed";
  // It ends a connection after so many requests, by GOAWAY.
  const Nginx nginx("http2", "keepalive_requests 50;");
  begin_before(nginx.address());
  expect_served("/small", 10, "/large", 1024 * 1024);
}

TEST_F(PeersAsServers, Haproxy) {
  if (::access("/usr/sbin/haproxy", X_OK) != 0) GTEST_SKIP() << "haproxy is not installed";
  const TempDir directory;
  const Address server = loopback(free_port());
  origin.on("/nothing", [](Exchange& exchange) { exchange.respond("", "404 Not Found"); });
  replace_file(directory / "haproxy.cfg",
               "defaults\n  mode http\n  timeout client 60s\n  timeout server 60s\n  timeout connect 60s\n"
               "listen web\n  bind " +
                   server.text() + " proto h2\n  server a " + origin.address().text() + "\n");
  const Process haproxy({{"/usr/sbin/haproxy", "-db", "-f", directory / "haproxy.cfg"}});
  await([&] { return is_listening(server); }, "haproxy to listen");
  begin_before(server);
  expect_served("/bytes/10", 10, "/chunked/300000", 300'000);
  Client client(front->address());
  EXPECT_EQ(client.post("/count", pattern(300'000)).body, "300000 as sent");
  const Response trailers = client.get("/trailers", "TE: trailers\r\nConnection: TE\r\n");
  EXPECT_EQ(trailers.body, "hello");
}

TEST_F(PeersAsServers, Nghttpd) {
  const TempDir directory;
  const Address server = loopback(free_port());
  replace_file(directory / "small", pattern(10));
  replace_file(directory / "large", pattern(1'000'000));
  const Process nghttpd(
      {{"nghttpd", "--no-tls", "--address=127.0.0.1", "--htdocs=" + (directory / ""), std::to_string(server.port)}});
  await([&] { return is_listening(server); }, "nghttpd to listen");
  begin_before(server);
  expect_served("/small", 10, "/large", 1'000'000);
  // RFC 8441 §3: a client must not send what the server has not announced.
  Client client(front->address());
  EXPECT_EQ(client.get("/small", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n").status(),
            502);
  front->await_log(std::regex("HTTP/2: it takes no WebSockets"));
  EXPECT_EQ(client.get("/small").body, pattern(10));
}

}  // namespace
}  // namespace baton::harness
