// What clients of HTTP/2 get, over HTTP/1.1 to the servers.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <regex>
#include <utility>

#include "harness/baton.hpp"
#include "harness/http2_client.hpp"
#include "harness/log_lines.hpp"
#include "harness/origin.hpp"
#include "harness/pids.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

class Http2 : public testing::Test {
 protected:
  Settings settings(const std::string& limits = "") const {
    Settings settings(origin.address());
    settings.limits = limits;
    return settings;
  }

  Origin origin;
};

TEST_F(Http2, GetsResponses) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const Http2Response response = client.get("/bytes/100000");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, pattern(100'000));
  EXPECT_EQ(response.field("content-length"), "100000");
  EXPECT_EQ(client.get("/chunked/5000").body, pattern(5'000));
  EXPECT_EQ(client.get("/chunked/5000").field("transfer-encoding"), "");
  EXPECT_EQ(client.get("/until-close/5000").body, pattern(5'000));
  EXPECT_EQ(client.get("/status/404").status, 404);
  EXPECT_EQ(client.get("/bytes/0").body, "");
}

TEST_F(Http2, GetsTrailersAndInterimResponses) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const Http2Response trailers = client.get("/trailers", {{"te", "trailers"}});
  EXPECT_EQ(trailers.body, "hello");
  ASSERT_EQ(trailers.trailers.size(), 1u);
  EXPECT_EQ(trailers.trailers[0].first, "x-checksum");
  const Http2Response interim = client.get("/interim");
  EXPECT_EQ(interim.interim, std::vector<int>{103});
  EXPECT_EQ(interim.status, 200);
}

TEST_F(Http2, SendsBodies) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  EXPECT_EQ(client.post("/count", pattern(300'000), {{"content-length", "300000"}}).body, "300000 as sent");
  EXPECT_EQ(client.post("/count", pattern(300'000)).body, "300000 as sent") << "in chunks";
  EXPECT_EQ(client.post("/count", "").body, "0 as sent");
  const std::int32_t stream = client.begin_post("/echo");
  client.send(stream, "content");
  client.send_trailers(stream, {{"x-more", "yes"}});
  const std::string echo = client.await_end(stream).body;
  EXPECT_NE(echo.find("content"), std::string::npos) << echo;
  EXPECT_NE(echo.find("trailer x-more: yes"), std::string::npos) << echo;
}

TEST_F(Http2, ForwardsFieldsAsHttp1Does) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const std::string echo =
      client.get("/echo", {{"cookie", "a=1"}, {"cookie", "b=2"}, {"x-forwarded-for", "9.9.9.9"}}).body;
  EXPECT_NE(echo.find("GET /echo HTTP/1.1\r\nHost: test\r\n"), std::string::npos) << echo;
  EXPECT_NE(echo.find("cookie: a=1; b=2"), std::string::npos) << echo;
  EXPECT_NE(echo.find("X-Forwarded-For: 127.0.0.1"), std::string::npos) << echo;
  EXPECT_EQ(echo.find("9.9.9.9"), std::string::npos) << echo;
}

TEST_F(Http2, ServesStreamsAtTheSameTime) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
  EXPECT_EQ(client.response(held).status, 0);
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
}

// Its streams are over, and so is what they hold.
TEST_F(Http2, AClientMayGoWhileItsServersThink) {
  const Baton baton(settings());
  for (int i = 1; i <= 3; ++i) {
    auto client = std::make_unique<Http2Client>(baton.address());
    client->begin_get("/held");
    client->begin_post("/count");
    origin.gate().await_arrivals(static_cast<std::size_t>(i));
    client->connection().half_close();
    client.reset();
  }
  origin.gate().open();
  Http2Client next(baton.address());
  EXPECT_EQ(next.get("/bytes/10").body, pattern(10));
  baton.await_number("connections.total", 1);
}

TEST_F(Http2, AClientThatHasGoneWithoutOpeningItsWindowIsNotWaitedFor) {
  const Baton baton(settings());
  Http2Client client(baton.address(), {.stream_window = 1'000, .updates_windows = false});
  client.await_body(client.begin_get("/bytes/100000"), 1'000);
  client.connection().half_close();
  baton.await_number("connections.total", 0);
}

TEST_F(Http2, AStalledStreamHoldsUpNoOther) {
  const Baton baton(settings());
  Http2Client client(baton.address(), {.stream_window = 1'000});
  Http2Client patient(baton.address(), {.stream_window = 1'000, .updates_windows = false});
  const std::int32_t stalled = patient.begin_get("/bytes/100000");
  patient.await_body(stalled, 1'000);
  EXPECT_EQ(patient.get("/bytes/1000").body, pattern(1'000));
  patient.ping();
  EXPECT_EQ(patient.response(stalled).body.size(), 1'000u);
  patient.update_window(0, 1'000'000);
  patient.update_window(stalled, 1'000'000);
  EXPECT_EQ(patient.await_end(stalled).body, pattern(100'000));
  EXPECT_EQ(client.get("/bytes/100000").body, pattern(100'000));
}

// Servers that do not read have used up the connection's window, so that the client cannot send.
TEST_F(Http2, AnUploadThatAnotherHoldsUpIsNotLate) {
  Settings narrow = settings("http2_stream_window: 65535, http2_connection_window: 65535");
  narrow.binds = {loopback(free_port())};
  Baton baton(narrow);
  Http2Client client(baton.address());
  // Two, since one may use up the window of its stream before that of the connection.
  const std::int32_t stuck[] = {client.begin_post("/held"), client.begin_post("/held")};
  origin.gate().await_arrivals(2);
  for (const std::int32_t one : stuck) client.send(one, std::string(16 * 1024 * 1024, 'x'), true);
  // Baton answers a PING in the turn in which it also passes on what the server takes.
  for (int at_rest = 0; at_rest < 3; at_rest = client.send_window() == 0 ? at_rest + 1 : 0) {
    client.settle(std::chrono::milliseconds(200));
    client.ping();
  }
  const std::int32_t waiting = client.begin_post("/count");
  client.send(waiting, pattern(10), true);
  client.ping();
  Settings impatient = narrow;
  impatient.timeouts = "body: 300ms";
  baton.reload(impatient);
  client.settle(std::chrono::milliseconds(1'000));
  EXPECT_EQ(client.response(waiting).status, 0);
  baton.reload(narrow);
  origin.gate().open();
  EXPECT_EQ(client.await_end(waiting).body, "10 as sent");
}

TEST_F(Http2, AResetOfAStreamReachesItsServer) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const std::int32_t stream = client.begin_get("/half/100000");
  client.await_body(stream, 1'000);
  client.reset(stream);
  client.ping();
  origin.gate().open();
  origin.await_open_connections(0);
  EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
}

TEST_F(Http2, AnAnswerEndsAnUploadThatNobodyNeeds) {
  const Baton baton(settings("body_bytes: 100"));
  Http2Client client(baton.address());
  EXPECT_EQ(client.post("/count", pattern(50)).body, "50 as sent");
  const std::int32_t declared = client.begin_post("/count", {{"content-length", "1000"}});
  EXPECT_EQ(client.await_end(declared).status, 413);
  const std::int32_t stream = client.begin_post("/count");
  client.send(stream, pattern(60));
  client.send(stream, pattern(60));
  EXPECT_EQ(client.await_end(stream).status, 413);
  EXPECT_EQ(client.get("/bytes/10").body, pattern(10)) << "the connection goes on";
}

TEST_F(Http2, IsOfferedByAlpn) {
  const TempDir directory;
  Authority authority{directory};
  Settings settings = this->settings();
  settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ], alpn: [ h2, http/1.1 ]";
  settings.handoff += ", finish_timeout: 50ms";
  Baton baton(settings);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Http2Client client(std::make_unique<TlsClient>(baton.address(), TlsOptions{.version = version, .alpn = "h2"}));
    EXPECT_EQ(client.get("/bytes/100000").body, pattern(100'000));
    const std::int32_t stream = client.begin_post("/count");
    client.send(stream, pattern(40'000).substr(0, 20'000));
    baton.upgrade();
    client.send(stream, pattern(40'000).substr(20'000), true);
    EXPECT_EQ(client.await_end(stream).body, "40000 as sent");
    TlsClient other(baton.address(), TlsOptions{.version = version, .alpn = "http/1.1"});
    EXPECT_EQ(other.get("/bytes/10").body, pattern(10));
  }
}

TEST_F(Http2, AServerThatCannotBeReachedIs502) {
  Origin gone;
  gone.refuse();
  Settings settings = this->settings();
  settings.servers = {{gone.address()}};
  const Baton baton(settings);
  Http2Client client(baton.address());
  EXPECT_EQ(client.get("/bytes/10").status, 502);
  settings.servers = {{gone.address()}, {origin.address()}};
  Baton both(settings);
  Http2Client other(both.address());
  for (int i = 0; i < 4; ++i) EXPECT_EQ(other.get("/bytes/10").status, 200) << "the next server is tried";
}

TEST_F(Http2, MayFollowAProxyHeader) {
  Settings settings = this->settings();
  settings.binds = {loopback(free_port())};
  settings.topology =
      "listeners:\n  - { name: web, bind: \"" + settings.binds[0].text() +
      "\", proxy_protocol: require, trusted_proxies: [ 127.0.0.1 ] }\nupstreams:\n  - { name: app, servers: "
      "[ { address: \"" +
      origin.address().text() + "\" } ] }\n";
  const Baton baton(settings);
  auto connection = std::make_unique<Client>(baton.address());
  connection->send("PROXY TCP4 192.0.2.9 192.0.2.1 1000 80\r\n");
  Http2Client client(std::move(connection));
  EXPECT_NE(client.get("/echo").body.find("X-Forwarded-For: 192.0.2.9"), std::string::npos);
}

TEST_F(Http2, TheEndOfTheConnectionEndsItsWebSockets) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const std::int32_t stream = client.begin_websocket("/websocket");
  EXPECT_EQ(client.await_head(stream).status, 200);
  client.send(stream, "the last");
  client.connection().half_close();
  EXPECT_EQ(client.await_end(stream).body, "the last") << "it reached the server, and its answer came";
  origin.await_open_connections(0);
}

TEST_F(Http2, AWebSocketWhoseClientHasGoneBehindAShutWindowRests) {
  const Baton baton(settings());
  Http2Client client(baton.address(), {.stream_window = 4, .updates_windows = false});
  const std::int32_t stream = client.begin_websocket("/websocket");
  EXPECT_EQ(client.await_head(stream).status, 200);
  client.send(stream, "more than four");
  EXPECT_EQ(client.await_body(stream, 4).body, "more");
  client.connection().half_close();
  origin.await_open_connections(0);
  await_rest(baton.pid());
}

TEST_F(Http2, AStreamThatIsResetHasALineAtDebug) {
  Settings settings = this->settings();
  settings.log = "level: debug";
  Baton baton(settings);
  Client client(baton.address());
  const std::string block("\x82\x86\x84\x41\x01\x61\x00\x01\x41\x01\x62", 11);  // GET http://a/, A: b
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9) +
              std::string("\0\0\x0b\1\5\0\0\0\1", 9) + block);
  baton.await_log(
      std::regex(R"( debug .* HTTP/2 with 127\.0\.0\.1:\d+ on web: a stream is reset: its head is malformed$)"));
}

TEST_F(Http2, CarriesWebSockets) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const std::int32_t stream = client.begin_websocket("/websocket");
  EXPECT_EQ(client.await_head(stream).status, 200);
  client.send(stream, "ping");
  EXPECT_EQ(client.await_body(stream, 4).body, "ping");
  client.send(stream, "", true);
  EXPECT_TRUE(client.await_end(stream).ended);
  const std::int32_t refused = client.begin_websocket("/no-websocket");
  EXPECT_EQ(client.await_head(refused).status, 501);
}

// What has come as a whole is still answered; what has not never will be.
TEST_F(Http2, TheEndOfTheConnectionEndsWhatIsNotWhole) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  const std::int32_t upload = client.begin_post("/count");
  client.send(upload, "a part");
  client.ping();
  client.connection().half_close();
  origin.await_open_connections(1);
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
  client.connection().expect_fin();
}

TEST_F(Http2, WaitsWithTheBodyFor100) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  for (const Http2Fields& length : {Http2Fields{{"content-length", "5"}}, Http2Fields{}}) {
    Http2Fields fields{{"expect", "100-continue"}};
    fields.insert(fields.end(), length.begin(), length.end());
    const std::int32_t stream = client.begin_post("/continue", fields);
    client.await_interim(stream);
    EXPECT_EQ(client.response(stream).interim, std::vector<int>{100});
    client.send(stream, "hello", true);
    EXPECT_EQ(client.await_end(stream).status, 200);
  }
}

TEST_F(Http2, RefusesConnect) {
  const Baton baton(settings());
  Http2Client client(baton.address());
  EXPECT_EQ(client.await_end(client.begin({{":method", "CONNECT"}, {":authority", "a:1"}})).status, 405);
}

TEST_F(Http2, GoesAwayWhenBatonStops) {
  Baton baton(settings());
  Http2Client client(baton.address());
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  baton.signal(SIGTERM);
  client.await_goaway();
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
  EXPECT_EQ(baton.await_exit().code, 0);
}

TEST_F(Http2, IsInTheAccessLog) {
  Settings logged = settings();
  logged.log = "access: { path: \"-\" }";
  Baton baton(logged);
  Http2Client client(baton.address());
  client.get("/bytes/10");
  baton.await_access_log(std::regex("\"GET /bytes/10 HTTP/2\\.0\" 200 10 "));
}

}  // namespace
}  // namespace baton::harness
