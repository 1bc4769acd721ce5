// Every configured timeout, kept short: what the client sees, and that it does not come early.
#include <gtest/gtest.h>

#include <signal.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr Milliseconds short_time{1000};

class Timeouts : public testing::Test {
 protected:
  Settings with(const std::string& timeouts) const {
    Settings settings(origin.address());
    settings.timeouts = timeouts;
    return settings;
  }
  void expect_not_early() const { EXPECT_GE(Clock::now() - begin, short_time * 9 / 10); }
  // Taken before whatever starts the proxy's own clock, so that a busy machine cannot make it look early.
  void start_clock() { begin = Clock::now(); }

  Origin origin;
  Clock::time_point begin = Clock::now();
};

TEST_F(Timeouts, AHeadThatStopsIs408) {
  Baton baton(with("head: 1s"));
  Client client = baton.connect();
  start_clock();
  client.send("GET / HTTP/1.1\r\nHos");
  EXPECT_EQ(client.response().status(), 408);
  expect_not_early();
  client.expect_fin();
}

TEST_F(Timeouts, AHeadThatDripsIs408TooForTheLimitIsInTotal) {
  Baton baton(with("head: 1s"));
  Client client = baton.connect();
  start_clock();
  client.send("GET / HTTP/1.1\r\nX: ");
  await(
      [&] {
        try {
          client.send_what_goes("x");
          client.expect_silence(Milliseconds(20));
          return false;
        } catch (const Failure&) {
          return true;
        }
      },
      "the proxy to lose patience");
  expect_not_early();
  EXPECT_EQ(client.response().status(), 408);
}

TEST_F(Timeouts, ABodyThatStopsIs408) {
  Baton baton(with("body: 1s"));
  Client client = baton.connect();
  start_clock();
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(client.response().status(), 408);
  expect_not_early();
}

TEST_F(Timeouts, AnIdleConnectionEndsInSilence) {
  Baton baton(with("idle: 1s"));
  Client fresh = baton.connect(), used = baton.connect();
  start_clock();
  used.get("/bytes/1");
  used.expect_fin();
  expect_not_early();
  fresh.expect_fin();
}

TEST_F(Timeouts, AClientThatTakesNothingIsGivenUp) {
  Baton baton(with("send: 1s"));
  Client client = baton.connect();
  start_clock();
  client.send(get_request("/bytes/100000000"));
  origin.await_requests(1);
  baton.await_number("connections.total", 0);
  expect_not_early();
  std::string rest;
  client.read_to_end(rest);
  EXPECT_LT(rest.size(), 100'000'000u);
}

TEST_F(Timeouts, AConnectThatHangsIs504) {
  FullBacklog full;
  Settings settings(loopback(full.port()));
  settings.timeouts = "connect: 1s";
  Baton baton(settings);
  Client client = baton.connect();
  start_clock();
  EXPECT_EQ(client.get("/").status(), 504);
  expect_not_early();
}

TEST_F(Timeouts, AnOriginThatDoesNotAnswerIs504) {
  Baton baton(with("response: 1s"));
  Client client = baton.connect();
  start_clock();
  EXPECT_EQ(client.get("/held").status(), 504);
  expect_not_early();
  origin.gate().open();
}

TEST_F(Timeouts, AResponseBodyThatStopsIsNeverAWholeOne) {
  Baton baton(with("response_body: 1s"));
  Client client = baton.connect();
  client.send(get_request("/half/1000"));
  read_head(client);
  client.read_exactly(500);
  std::string rest;
  EXPECT_EQ(client.read_to_end(rest), End::reset);
  EXPECT_EQ(rest, "");
}

// The other request begins later, and its time expires while the first one's response is silent.
TEST_F(Timeouts, AResponseThatHasBegunIsNotTimedByTheLimitOfItsHead) {
  Baton baton(with("response: 1s"));
  Client quiet = baton.connect(), other = baton.connect();
  quiet.send(get_request("/half/1000"));
  read_head(quiet);
  quiet.read_exactly(500);
  origin.on("/never", [](Exchange& exchange) { exchange.stream.await_bytes_forever(); });
  EXPECT_EQ(other.get("/never").status(), 504) << "begun later, and over";
  origin.gate().open();
  EXPECT_EQ(quiet.read_exactly(500), pattern(1000).substr(500));
}

TEST_F(Timeouts, AnEventStreamMayBeQuietForLongerThanOtherBodiesAlsoWhereItWentOn) {
  Settings settings = with("response_body: 300ms");
  settings.handoff += ", finish_timeout: 0s";
  Baton baton(settings);
  origin.on("/events", [](Exchange& exchange) {
    exchange.stream.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    exchange.origin.gate().pass();
    exchange.stream.send("data: 2\n\n");
    exchange.close = true;
  });
  Client events = baton.connect(), other = baton.connect();
  events.send(get_request("/events"));
  events.read_through("data: 1\n\n");
  baton.upgrade();
  other.send(get_request("/half/1000"));
  std::string rest;
  EXPECT_EQ(other.read_to_end(rest), End::reset) << "begun later, and over";
  origin.gate().open();
  EXPECT_EQ(events.read_to_fin(), "data: 2\n\n");
}

TEST_F(Timeouts, AnExchangeThatTakesTooLongInAllIsOverWhereverItStands) {
  FullBacklog full;
  Settings settings(loopback(full.port()));
  settings.timeouts = "connect: 60s, total: 1s";
  Baton hangs(settings);
  Client connecting = hangs.connect();
  start_clock();
  EXPECT_EQ(connecting.get("/").status(), 504);
  expect_not_early();

  Baton baton(with("total: 1s"));
  Client waiting = baton.connect(), halfway = baton.connect(), quick = baton.connect();
  waiting.send(get_request("/held"));
  EXPECT_EQ(waiting.response().status(), 504);
  halfway.send(get_request("/half/1000"));
  read_head(halfway);
  std::string rest;
  EXPECT_EQ(halfway.read_to_end(rest), End::reset);
  EXPECT_EQ(rest, pattern(1000).substr(0, 500));
  EXPECT_EQ(quick.get("/bytes/1").body, pattern(1));
  origin.gate().open();
}

TEST_F(Timeouts, APooledUpstreamConnectionIsClosedAfterItsTime) {
  Baton baton(with("upstream_idle: 1s"));
  Client client = baton.connect();
  start_clock();
  client.get("/bytes/1");
  origin.await_open_connections(0);
  expect_not_early();
  EXPECT_EQ(client.get("/bytes/2").body, pattern(2));
}

TEST_F(Timeouts, ATunnelWithoutTrafficEnds) {
  Baton baton(with("tunnel_idle: 1s"));
  Client client = baton.connect();
  start_clock();
  client.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_EQ(client.response().status(), 101);
  std::string rest;
  client.read_to_end(rest);
  expect_not_early();
  origin.await_open_connections(0);
}

TEST_F(Timeouts, ShutdownIsTheLimitOfAGracefulStop) {
  Baton baton(with("shutdown: 1s"));
  Client client = baton.connect();
  client.send(get_request("/held"));
  origin.gate().await_arrivals(1);
  start_clock();
  baton.signal(SIGTERM);
  EXPECT_EQ(baton.await_exit().signal, 0);
  expect_not_early();
}

}  // namespace
}  // namespace baton::harness
