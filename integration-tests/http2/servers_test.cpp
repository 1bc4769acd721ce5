// What clients of HTTP/1.1 and of HTTP/2 get from servers of HTTP/2.
#include <gmock/gmock.h>

#include <csignal>

#include "harness/log_lines.hpp"
#include "http2/chain.hpp"

namespace baton::harness {
namespace {

using ServersOfHttp2 = Chain;

TEST_F(ServersOfHttp2, AnswerClientsOfHttp1) {
  begin();
  Client client(front->address());
  for (const std::string size : {"0", "1", "100000"}) {
    EXPECT_EQ(client.get("/bytes/" + size).body, pattern(std::stoul(size)));
    EXPECT_EQ(client.get("/chunked/" + size).body, pattern(std::stoul(size)));
  }
  EXPECT_EQ(client.get("/until-close/5000").body, pattern(5'000));
  EXPECT_EQ(client.get("/status/404").status(), 404);
  EXPECT_EQ(client.get("/status/204").status(), 204);
  client.send("HEAD /bytes/5 HTTP/1.1\r\nHost: test\r\n\r\n");
  const Response head = client.response(BodyIs::absent);
  EXPECT_EQ(head.field("content-length"), "5");
  EXPECT_EQ(client.get("/bytes/3").body, pattern(3)) << "on the same connection";
  EXPECT_EQ(carriers(), 1) << "one connection for one request after the other";
}

TEST_F(ServersOfHttp2, AnswerClientsOfHttp2) {
  begin();
  Http2Client client(front->address());
  EXPECT_EQ(client.get("/bytes/100000").body, pattern(100'000));
  EXPECT_EQ(client.get("/chunked/5000").body, pattern(5'000));
  EXPECT_EQ(client.get("/bytes/0").body, "");
  EXPECT_EQ(client.get("/status/404").status, 404);
  EXPECT_EQ(client.post("/count", pattern(300'000), {{"content-length", "300000"}}).body, "300000 as sent");
  EXPECT_EQ(client.post("/count", pattern(300'000)).body, "300000 as sent");
  EXPECT_EQ(client.post("/count", "").body, "0 as sent");
}

TEST_F(ServersOfHttp2, TakeTrailersAndInterimResponses) {
  begin();
  Client client(front->address());
  const Response trailers = client.get("/trailers", "TE: trailers\r\nConnection: TE\r\n");
  EXPECT_EQ(trailers.body, "hello");
  EXPECT_TRUE(trailers.trailer("x-checksum"));
  EXPECT_EQ(client.get("/interim").interim.size(), 1u);
  client.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("content") +
              "0\r\nX-More: yes\r\n\r\n");
  const std::string echo = client.response().body;
  EXPECT_NE(echo.find("trailer x-more: yes"), std::string::npos) << echo;
  Http2Client second(front->address());
  ASSERT_EQ(second.get("/trailers", {{"te", "trailers"}}).trailers.size(), 1u);
  EXPECT_EQ(second.get("/interim").interim, std::vector<int>{103});
  const std::int32_t stream = second.begin_post("/echo");
  second.send(stream, "content");
  second.send_trailers(stream, {{"x-more", "yes"}});
  EXPECT_NE(second.await_end(stream).body.find("trailer x-more: yes"), std::string::npos);
}

TEST_F(ServersOfHttp2, AreAskedWhetherABodyIsWanted) {
  begin();
  Client client(front->address());
  client.send("POST /continue HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(read_head(client).start_line.substr(0, 12), "HTTP/1.1 100");
  client.send(pattern(5));
  EXPECT_EQ(client.response().body, "5");
}

TEST_F(ServersOfHttp2, GetFieldsOfOneConnectionOnly) {
  begin();
  Client client(front->address());
  const std::string echo =
      client.get("/echo", "Connection: keep-alive, X\r\nX: y\r\nKeep-Alive: 5\r\nCookie: a=1\r\nCookie: b=2\r\n").body;
  EXPECT_EQ(echo.find("X: y"), std::string::npos) << echo;
  EXPECT_EQ(echo.find("eep-"), std::string::npos) << echo;
  EXPECT_NE(echo.find("Host: test.example\r\n"), std::string::npos) << echo;
  EXPECT_NE(echo.find("cookie: a=1; b=2"), std::string::npos) << echo;
}

// Streams of one client share a connection; those of several do not.
TEST_F(ServersOfHttp2, CarryTheStreamsOfAClientTogether) {
  begin();
  Http2Client client(front->address());
  std::vector<std::int32_t> held;
  for (int i = 0; i < 50; ++i) held.push_back(client.begin_get("/held"));
  origin.gate().await_arrivals(50);
  EXPECT_EQ(carriers(), 1);
  Http2Client other(front->address());
  EXPECT_EQ(other.get("/bytes/1").body, pattern(1));
  EXPECT_EQ(carriers(), 2);
  origin.gate().open();
  for (const std::int32_t one : held) EXPECT_EQ(client.await_end(one).body, "held");
}

TEST_F(ServersOfHttp2, GetNoMoreStreamsThanTheyAllow) {
  begin("http2_streams: 2");
  Http2Client client(front->address());
  std::vector<std::int32_t> held;
  for (int i = 0; i < 7; ++i) held.push_back(client.begin_get("/held"));
  origin.gate().await_arrivals(7);
  EXPECT_EQ(carriers(), 4);
  origin.gate().open();
  for (const std::int32_t one : held) EXPECT_EQ(client.await_end(one).body, "held");
}

TEST_F(ServersOfHttp2, TakeWebSockets) {
  begin();
  Client client(front->address());
  client.send(get_request("/websocket",
                          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  const Message head = read_head(client);
  EXPECT_EQ(head.start_line.substr(0, 12), "HTTP/1.1 101");
  EXPECT_EQ(head.field("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  client.send("over HTTP/2");
  EXPECT_EQ(client.read_exactly(11), "over HTTP/2");
  client.half_close();
  client.expect_fin();
  Http2Client second(front->address());
  const std::int32_t socket = second.begin_websocket("/websocket");
  EXPECT_EQ(second.await_head(socket).status, 200);
  second.send(socket, "both sides");
  EXPECT_EQ(second.await_body(socket, 10).body, "both sides");
  second.send(socket, "", true);
  EXPECT_TRUE(second.await_end(socket).ended);
}

TEST_F(ServersOfHttp2, AreNotHeldUpByAStalledClient) {
  begin();
  Http2Client patient(front->address(), {.stream_window = 1'000, .updates_windows = false});
  const std::int32_t stalled = patient.begin_get("/bytes/30000000");
  patient.await_body(stalled, 1'000);
  EXPECT_EQ(patient.get("/bytes/1000").body, pattern(1'000));
  EXPECT_LT(origin.bytes_sent(), 20'000'000u) << "the server waits, too";
  patient.update_window(0, 40'000'000);
  patient.update_window(stalled, 40'000'000);
  const Http2Response& all = patient.await_end(stalled);
  EXPECT_EQ(all.body.size(), 30'000'000u);
  EXPECT_TRUE(all.body == pattern(30'000'000));
}

// The client cancels: so does the front, and the back's server sees its connection reset.
TEST_F(ServersOfHttp2, LearnThatAClientHasCancelled) {
  begin();
  Http2Client client(front->address());
  const std::int32_t held = client.begin_get("/held");
  const std::int32_t other = client.begin_get("/held");
  origin.gate().await_arrivals(2);
  client.reset(held);
  back->await_number("requests_total", 1);
  origin.gate().open();
  EXPECT_EQ(client.await_end(other).body, "held");
  EXPECT_EQ(carriers(), 1);
}

// A silent stream of gRPC would otherwise last for timeouts.tunnel_idle.
TEST_F(ServersOfHttp2, LearnThatAClientOfGrpcHasGone) {
  begin();
  Http2Client client(front->address());
  client.begin_get("/held", {{"content-type", "application/grpc"}});
  origin.gate().await_arrivals(1);
  client.connection().half_close();
  back->await_number("requests_total", 1);
  origin.gate().open();
}

// GOAWAY: what they have not begun goes to another connection.
TEST_F(ServersOfHttp2, MayEndTheirConnectionsAtAnyTime) {
  begin("requests_per_connection: 3");
  Client client(front->address());
  Http2Client second(front->address());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
    EXPECT_EQ(client.post("/count", pattern(5)).body, "5 as sent");
    std::vector<std::int32_t> streams;
    for (int k = 0; k < 10; ++k) streams.push_back(second.begin_get("/bytes/10"));
    for (const std::int32_t one : streams) EXPECT_EQ(second.await_end(one).body, pattern(10));
  }
  EXPECT_GE(carriers(), 10);
}

TEST_F(ServersOfHttp2, ThatCrashCostOnlyWhatTheyWereDoing) {
  begin();
  Http2Client client(front->address());
  const std::int32_t held = client.begin_post("/held");
  client.send(held, "x", true);
  origin.gate().await_arrivals(1);
  back->signal(SIGKILL);
  back->await_exit();
  EXPECT_EQ(client.await_end(held).status, 502);
  EXPECT_EQ(client.get("/bytes/1").status, 502);
  origin.gate().open();
  back->start_again();
  EXPECT_EQ(client.get("/bytes/1").body, pattern(1));
}

// No descriptor may be used for the second client's connection until the first one's is idle.
TEST_F(ServersOfHttp2, AreReachedOnceThereIsADescriptor) {
  back.emplace(back_settings());
  Settings settings = front_settings();
  settings.workers = 1;
  settings.limits = "upstream_connections: 1";
  settings.timeouts += ", connect: 20s";
  front.emplace(settings);
  Client first(front->address());
  first.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  Http2Client second(front->address());
  const std::int32_t one = second.begin_get("/bytes/10");
  const std::int32_t other = second.begin_get("/bytes/20");
  front->await_number("connections.exchange", 2);
  origin.gate().open();
  EXPECT_EQ(first.response().body, "held");
  EXPECT_EQ(second.await_end(one).body, pattern(10));
  EXPECT_EQ(second.await_end(other).body, pattern(20));
}

TEST_F(ServersOfHttp2, ThatSpeakHttp1AreReported) {
  Settings settings(origin.address());
  settings.server_protocol = "http2";
  front.emplace(settings);
  EXPECT_EQ(Client(front->address()).get("/bytes/1").status(), 502);
  front->await_log(std::regex("cannot be connected: HTTP/2: "));
}

// Probes speak what requests do.
TEST_F(ServersOfHttp2, AreProbedInHttp2) {
  back.emplace(back_settings());
  Settings settings;
  const Address web = loopback(free_port());
  settings.binds = {web};
  settings.topology =
      "listeners: [ { name: web, bind: \"" + web.text() +
      "\" } ]\n"
      "upstreams:\n  - name: web\n    protocol: http2\n    when_none_is_up: refuse\n    servers: [ { address: \"" +
      back->address().text() +
      "\" } ]\n"
      "    health: { active: { path: /health, every: 100ms, up: 1, down: 1 } }\n";
  origin.on("/health", [](Exchange& exchange) { exchange.respond("well"); });
  front.emplace(settings);
  origin.await_requests(2);
  EXPECT_EQ(origin.last_request().start_line, "GET /health HTTP/1.1");
  EXPECT_EQ(Client(web).get("/bytes/10").body, pattern(10));
  origin.on("/health", [](Exchange& exchange) { exchange.respond("", "503 Service Unavailable"); });
  front->await_log(std::regex("status 503"));
  EXPECT_EQ(Client(web).get("/bytes/10").status(), 503);
  origin.on("/health", [](Exchange& exchange) { exchange.respond("well"); });
  await([&] { return Client(web).get("/bytes/10").status() == 200; }, "the server to be well");
}

// One connection of a client asks both kinds in turn.
TEST_F(ServersOfHttp2, ServeBesideThoseOfHttp1) {
  back.emplace(back_settings());
  Settings settings;
  const Address web = loopback(free_port());
  settings.binds = {web};
  settings.topology = "listeners: [ { name: web, bind: \"" + web.text() +
                      "\" } ]\n"
                      "upstreams:\n"
                      "  - { name: new, protocol: http2, servers: [ { address: \"" +
                      back->address().text() +
                      "\" } ] }\n"
                      "  - { name: old, servers: [ { address: \"" +
                      origin.address().text() +
                      "\" } ] }\n"
                      "routes:\n  - { match: { path_prefix: /bytes }, upstream: old }\n  - { upstream: new }\n";
  front.emplace(settings);
  Client client(web);
  Http2Client second(web);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.get("/bytes/100000").body, pattern(100'000));
    EXPECT_EQ(client.get("/chunked/100000").body, pattern(100'000));
    const std::int32_t one = second.begin_get("/bytes/100000");
    const std::int32_t other = second.begin_get("/chunked/100000");
    EXPECT_EQ(second.await_end(one).body, pattern(100'000));
    EXPECT_EQ(second.await_end(other).body, pattern(100'000));
  }
}

}  // namespace
}  // namespace baton::harness
