// WebSocket: an exchange that becomes a tunnel.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

constexpr std::string_view asking =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";

class Tunnels : public testing::Test {
 protected:
  Origin origin;
  Baton baton{Settings(origin.address())};
  Client client = baton.connect();
};

TEST_F(Tunnels, CarryBytesBothWaysAndEndByHalfCloses) {
  Response response = client.get("/websocket", asking);
  EXPECT_EQ(response.status(), 101);
  EXPECT_EQ(response.field("Upgrade"), "websocket");
  EXPECT_TRUE(response.field("Connection"));
  EXPECT_EQ(origin.last_request().field("Upgrade"), "websocket");
  EXPECT_EQ(origin.last_request().field("Sec-WebSocket-Version"), "13");
  for (int i = 0; i < 100; ++i) {
    client.send("message " + std::to_string(i));
    EXPECT_EQ(client.read_exactly(8 + std::to_string(i).size()), "message " + std::to_string(i));
  }
  client.half_close();
  client.expect_fin();
  baton.await_number("connections.total", 0);
}

TEST_F(Tunnels, WhatTheClientSendsBeforeThe101IsNotLost) {
  client.send(get_request("/websocket", asking) + "too early");
  EXPECT_EQ(client.response().status(), 101);
  EXPECT_EQ(client.read_exactly(9), "too early");
}

TEST_F(Tunnels, AnotherAnswerIsPlainHttp) {
  client.send(get_request("/no-websocket", asking) + get_request("/bytes/3"));
  EXPECT_EQ(client.response().body, "plain");
  EXPECT_EQ(client.response().body, pattern(3)) << "what came meanwhile was the next request";
}

TEST_F(Tunnels, CarryMuch) {
  EXPECT_EQ(client.get("/websocket", asking).status(), 101);
  const std::string piece = pattern(50'000);
  for (int i = 0; i < 100; ++i) {
    client.send(piece);
    ASSERT_TRUE(client.read_exactly(piece.size()) == piece);
  }
}

TEST_F(Tunnels, AResetOfOneSideEndsTheOther) {
  EXPECT_EQ(client.get("/websocket", asking).status(), 101);
  client.reset();
  origin.await_open_connections(0);
}

TEST_F(Tunnels, OtherUpgradesAreStripped) {
  EXPECT_EQ(client.get("/no-websocket", "Connection: Upgrade\r\nUpgrade: h2c\r\n").body, "plain");
  EXPECT_FALSE(origin.last_request().field("Upgrade"));
}

}  // namespace
}  // namespace baton::harness
