// Connections in every state pass an upgrade on the same socket, and their answers are right.
#include <gtest/gtest.h>

#include <future>
#include <list>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr std::string_view websocket_fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

class LiveUpgrade : public testing::Test {
 protected:
  static Settings settings(const Origin& origin) {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 200ms";  // what has not finished by then moves mid-stream
    return settings;
  }
  Origin origin;
  Baton baton{settings(origin)};
  Client client = baton.connect();
};

TEST_F(LiveUpgrade, AnIdleConnectionGoesOn) {
  EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
  baton.upgrade();
  EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
  EXPECT_EQ(baton.number("accepted_total"), 1) << "the successor adds what its predecessor accepted";
  EXPECT_EQ(baton.number("requests_total"), 2);
  EXPECT_EQ(baton.number("connections.total"), 1);
}

TEST_F(LiveUpgrade, AConnectionThatHasSaidNothingYetGoesOn) {
  baton.await_number("connections.total", 1);
  baton.upgrade();
  EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
}

TEST_F(LiveUpgrade, APartialHeadIsCompletedAfterwards) {
  client.send("GET /bytes/30 HTTP/1.1\r\nHo");
  baton.await_number("connections.head", 1);
  baton.upgrade();
  client.send("st: a\r\n\r\n");
  EXPECT_EQ(client.response().body, pattern(30));
}

TEST_F(LiveUpgrade, AHeadCutAtAnyByteIsCompletedAfterwards) {
  const std::string request = get_request("/bytes/30");
  std::list<Client> clients;
  for (std::size_t cut = 1; cut < request.size(); ++cut)
    clients.emplace_back(baton.address()).send(std::string_view(request).substr(0, cut));
  baton.await_number("connections.head", static_cast<std::int64_t>(clients.size()));
  baton.upgrade();
  std::size_t cut = 1;
  for (Client& one : clients) {
    one.send(std::string_view(request).substr(cut));
    EXPECT_EQ(one.response().body, pattern(30)) << "cut after " << cut;
    ++cut;
  }
}

TEST_F(LiveUpgrade, PipelinedRequestsThatWaitAreAnsweredInOrder) {
  client.send(get_request("/held") + get_request("/bytes/1") + get_request("/bytes/2") + "GET /bytes/3 HT");
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  origin.gate().open();
  baton.finish_upgrade();
  client.send("TP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.response().body, "held");
  for (std::size_t i = 1; i <= 3; ++i) EXPECT_EQ(client.response().body, pattern(i));
}

TEST_F(LiveUpgrade, ARequestInFlightFinishes) {
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.begin_upgrade();
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  baton.finish_upgrade();
  EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
  EXPECT_EQ(origin.requests().size(), 2u) << "nothing was sent twice";
}

TEST_F(LiveUpgrade, ARequestWithoutAnswerMovesAfterTheFinishTimeout) {
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  baton.upgrade();
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  EXPECT_EQ(origin.requests().size(), 1u);
}

TEST_F(LiveUpgrade, AResponseMovesInTheMiddleOfItsBody) {
  int arrivals = 0;
  for (const char* path : {"/half/1000000", "/half-chunked/1000000"}) {
    Client one = baton.connect();
    origin.gate().shut();
    one.send(get_request(path));
    origin.gate().await_arrivals(++arrivals);
    baton.upgrade();
    origin.gate().open();
    EXPECT_TRUE(one.response().body == pattern(1'000'000)) << path;
    EXPECT_EQ(one.get("/bytes/5").body, pattern(5));
  }
}

TEST_F(LiveUpgrade, AnUploadMovesInTheMiddleOfItsBody) {
  const std::string request = post_request("/count", pattern(1'000'000));
  client.send(std::string_view(request).substr(0, 400'000));
  baton.await_number("connections.exchange", 1);
  baton.upgrade();
  client.send(std::string_view(request).substr(400'000));
  EXPECT_EQ(client.response().body, "1000000 as sent");
}

TEST_F(LiveUpgrade, AChunkedUploadCutAtAnyByteMoves) {
  const std::string request = "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                              chunk(pattern(20)) + std::string("0\r\nX-Trailer: v\r\n\r\n");
  const std::size_t head_bytes = request.find("\r\n\r\n") + 4;
  std::list<Client> clients;
  for (std::size_t cut = head_bytes; cut < request.size(); ++cut)
    clients.emplace_back(baton.address()).send(std::string_view(request).substr(0, cut));
  baton.await_number("connections.exchange", static_cast<std::int64_t>(clients.size()));
  baton.upgrade();
  std::size_t cut = head_bytes;
  for (Client& one : clients) {
    one.send(std::string_view(request).substr(cut));
    EXPECT_EQ(one.response().body, "20 as sent") << "cut after " << cut - head_bytes << " bytes of the body";
    ++cut;
  }
}

TEST_F(LiveUpgrade, AWebSocketMovesAtOnce) {
  EXPECT_EQ(client.get("/websocket", websocket_fields).status(), 101);
  for (int i = 0; i < 3; ++i) {
    client.send("before");
    EXPECT_EQ(client.read_exactly(6), "before");
    baton.upgrade();
  }
  client.send("after");
  client.half_close();
  EXPECT_EQ(client.read_to_fin(), "after");
}

TEST_F(LiveUpgrade, ATunnelUnderTrafficLosesNothing) {
  EXPECT_EQ(client.get("/websocket", websocket_fields).status(), 101);
  const std::string all = pattern(60'000'000);
  auto sending = std::async(std::launch::async, [&] { client.send(all); });
  std::string got = client.read_exactly(1'000'000);
  for (int i = 0; i < 3; ++i) {
    baton.begin_upgrade();
    got += client.read_exactly(10'000'000);
    baton.finish_upgrade();
  }
  got += client.read_exactly(all.size() - got.size());
  sending.get();
  EXPECT_TRUE(got == all);
}

TEST_F(LiveUpgrade, AHalfClosedClientGetsItsAnswerAndFin) {
  client.send(get_request("/held"));
  client.half_close();
  origin.gate().await_arrivals(1);
  baton.upgrade();
  origin.gate().open();
  EXPECT_EQ(client.response().body, "held");
  client.expect_fin();
}

TEST_F(LiveUpgrade, TheSuccessorsFinReachesTheClient) {
  client.get("/bytes/1");
  baton.upgrade();
  EXPECT_EQ(client.get("/bytes/1", "Connection: close\r\n").body, "A");
  client.expect_fin();  // would hang if a copy of the descriptor were still open somewhere
}

TEST_F(LiveUpgrade, AnOriginsResetWhileMovingIsAResetForTheClient) {
  client.send(get_request("/reset/1000"));
  read_head(client);
  client.read_exactly(1000);
  baton.begin_upgrade();
  origin.gate().open();
  std::string rest;
  EXPECT_EQ(client.read_to_end(rest), End::reset);
  baton.finish_upgrade();
}

TEST_F(LiveUpgrade, AClientsFinOrResetWhileMovingHarmsNobody) {
  Client other = baton.connect(), gone = baton.connect();
  client.get("/bytes/1");
  other.get("/bytes/1");
  gone.get("/bytes/1");
  baton.begin_upgrade();
  client.reset();
  gone.close();
  baton.finish_upgrade();
  EXPECT_EQ(other.get("/bytes/7").body, pattern(7));
  baton.await_number("connections.total", 1);
}

TEST_F(LiveUpgrade, ConnectionsInTheAcceptQueueAreServed) {
  baton.begin_upgrade();
  std::list<Client> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(baton.address()).send(get_request("/bytes/40"));
  baton.finish_upgrade();
  for (Client& one : clients) EXPECT_EQ(one.response().body, pattern(40));
  EXPECT_EQ(baton.number("accepted_total"), 101) << "with the fixture's own";
}

TEST_F(LiveUpgrade, ManyConnectionsInManyStatesMoveAtOnce) {
  std::list<Client> idle, heads, exchanges, tunnels;
  for (int i = 0; i < 200; ++i) {
    idle.emplace_back(baton.address()).get("/bytes/1");
    heads.emplace_back(baton.address()).send("GET /bytes/8 HTTP/1.1\r\nHost");
    exchanges.emplace_back(baton.address()).send(get_request("/half/5000"));
    tunnels.emplace_back(baton.address()).get("/websocket", websocket_fields);
  }
  origin.gate().await_arrivals(200);
  baton.await_number("connections.total", 801);
  baton.upgrade();
  EXPECT_EQ(baton.number("last_upgrade.moved_total"), 801);
  EXPECT_EQ(baton.number("last_upgrade.refused"), 0);
  EXPECT_EQ(baton.number("last_upgrade.taken_back"), 0);
  origin.gate().open();
  for (Client& one : idle) EXPECT_EQ(one.get("/bytes/8").body, pattern(8));
  for (Client& one : heads) {
    one.send(": a\r\n\r\n");
    EXPECT_EQ(one.response().body, pattern(8));
  }
  for (Client& one : exchanges) EXPECT_EQ(one.response().body, pattern(5000));
  for (Client& one : tunnels) {
    one.send("hello");
    EXPECT_EQ(one.read_exactly(5), "hello");
  }
  EXPECT_EQ(baton.number("accepted_total"), 801);
}

TEST_F(LiveUpgrade, ARawTcpConnectionMoves) {
  Settings raw = settings(origin);
  raw.protocol = "tcp";
  Baton tcp(raw);
  Client one = tcp.connect();
  EXPECT_EQ(one.get("/bytes/4").body, pattern(4));
  tcp.upgrade();
  EXPECT_EQ(one.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(origin.accepted(), 1u) << "the upstream leg moved too";
}

}  // namespace
}  // namespace baton::harness
