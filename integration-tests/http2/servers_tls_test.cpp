// Servers of HTTP/2 over TLS, where ALPN says what they speak.
#include <gtest/gtest.h>

#include "harness/certificates.hpp"
#include "harness/log_lines.hpp"
#include "http2/chain.hpp"

namespace baton::harness {
namespace {

class OverTls : public Chain {
 protected:
  // The back offers these protocols.
  void begin_tls(const std::string& protocol, const std::string& offered) {
    Settings serving = back_settings();
    serving.tls = "certificates: [ " + certificate.yaml() + " ], alpn: [ " + offered + " ]";
    back.emplace(serving);
    Settings settings = front_settings(protocol);
    settings.workers = 1;  // which has one pool
    settings.upstream_tls = "{ ca: " + authority.path() + ", server_name: back.test }";
    front.emplace(settings);
  }
  std::int64_t streams_together(int count) {
    Http2Client client(front->address());
    std::vector<std::int32_t> held;
    for (int i = 0; i < count; ++i) held.push_back(client.begin_get("/held"));
    origin.gate().await_arrivals(static_cast<std::size_t>(count));
    const std::int64_t made = carriers();
    origin.gate().open();
    for (const std::int32_t one : held) EXPECT_EQ(client.await_end(one).body, "held");
    return made;
  }

  const TempDir directory;
  Authority authority{directory};
  Certificate certificate = authority.issue({"back.test"});
};

TEST_F(OverTls, AutoTakesHttp2WhereItIsOffered) {
  begin_tls("auto", "h2, http/1.1");
  EXPECT_EQ(streams_together(20), 1);
  EXPECT_EQ(Client(front->address()).get("/bytes/10").body, pattern(10));
}

TEST_F(OverTls, AutoTakesHttp11WhereNothingElseIs) {
  begin_tls("auto", "http/1.1");
  EXPECT_EQ(streams_together(5), 5);
  EXPECT_EQ(streams_together(5), 5) << "and knows it by then; they were idle";
}

// Every server knows them in HTTP/1.1 (RFC 6455), few in HTTP/2.
TEST_F(OverTls, AutoSendsWebSocketsInHttp11) {
  begin_tls("auto", "h2, http/1.1");
  Http2Client client(front->address());
  EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
  const std::int32_t socket = client.begin_websocket("/websocket");
  EXPECT_EQ(client.await_head(socket).status, 200);
  client.send(socket, "tick");
  EXPECT_EQ(client.await_body(socket, 4).body, "tick");
  EXPECT_EQ(carriers(), 2);
  EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
  EXPECT_EQ(carriers(), 2);
}

TEST_F(OverTls, Http2IsRequiredWhereItIsSaid) {
  begin_tls("http2", "http/1.1");
  EXPECT_EQ(Client(front->address()).get("/bytes/10").status(), 502);
  front->await_log(std::regex("cannot be connected: TLS: .*no application protocol"));
}

TEST_F(OverTls, CarriersMove) {
  begin_tls("http2", "h2");
  Http2Client client(front->address());
  const std::int32_t held = client.begin_get("/held");
  const std::int32_t socket = client.begin_websocket("/websocket");
  client.await_head(socket);
  origin.gate().await_arrivals(1);
  for (std::size_t i = 1; i <= 3; ++i) {
    front->upgrade();
    back->upgrade();
    client.send(socket, "tick");
    client.await_body(socket, 4 * i);
    EXPECT_EQ(client.get("/bytes/100000").body, pattern(100'000));
  }
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
}

}  // namespace
}  // namespace baton::harness
