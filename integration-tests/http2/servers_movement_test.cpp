// Connections move together with the streams that they have on connections to servers.
#include <gtest/gtest.h>

#include "http2/chain.hpp"

namespace baton::harness {
namespace {

class MovesOfServers : public Chain, public testing::WithParamInterface<const char*> {
 protected:
  // In turn, or only one.
  void upgrade() {
    const std::string which = GetParam();
    if (which != "back") front->upgrade();
    if (which != "front") back->upgrade();
  }
};
INSTANTIATE_TEST_SUITE_P(Which, MovesOfServers, testing::Values("front", "back", "both"),
                         [](const auto& from) { return std::string(from.param); });

TEST_P(MovesOfServers, HaveEveryKindOfStream) {
  begin();
  Http2Client client(front->address(), {.stream_window = 10'000, .updates_windows = false});
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  const std::int32_t stalled = client.begin_get("/bytes/50000");
  const std::int32_t upload = client.begin_post("/count");
  const std::int32_t counted = client.begin_post("/count", {{"content-length", "30000"}});
  const std::int32_t socket = client.begin_websocket("/websocket");
  client.await_head(socket);
  std::string tunnelled;
  for (int i = 0; i < 3; ++i) {
    const std::string piece = pattern(30'000).substr(static_cast<std::size_t>(i) * 10'000, 10'000);
    client.send(upload, piece);
    client.send(counted, piece);
    client.send(socket, "tick");
    tunnelled += "tick";
    EXPECT_EQ(client.await_body(socket, tunnelled.size()).body, tunnelled);
    upgrade();
    client.update_window(stalled, 10'000);
    client.update_window(0, 10'000);
  }
  EXPECT_EQ(client.await_body(stalled, 40'000).body.size(), 40'000u);
  client.update_window(stalled, 10'000);
  client.update_window(0, 10'000);
  EXPECT_EQ(client.await_end(stalled).body, pattern(50'000));
  client.send(upload, "", true);
  client.send(counted, "", true);
  EXPECT_EQ(client.await_end(upload).body, "30000 as sent");
  EXPECT_EQ(client.await_end(counted).body, "30000 as sent");
  origin.gate().open();
  EXPECT_EQ(client.await_end(held).body, "held");
  client.send(socket, "", true);
  EXPECT_TRUE(client.await_end(socket).ended);
  EXPECT_EQ(carriers(), 1) << "all of them stayed on one connection";
}

TEST_P(MovesOfServers, HaveExchangesOfHttp1) {
  begin();
  Client held(front->address());
  held.send(get_request("/held"));
  Client upload(front->address());
  upload.send("POST /count HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
  Client socket(front->address());
  socket.send(get_request("/websocket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n"));
  read_head(socket);
  origin.gate().await_arrivals(1);
  for (int i = 0; i < 3; ++i) {
    upload.send(chunk(pattern(3'000).substr(static_cast<std::size_t>(i) * 1'000, 1'000)));
    socket.send("tick");
    EXPECT_EQ(socket.read_exactly(4), "tick");
    upgrade();
  }
  upload.send(last_chunk);
  EXPECT_EQ(upload.response().body, "3000 as sent");
  origin.gate().open();
  EXPECT_EQ(held.response().body, "held");
  socket.half_close();
  socket.expect_fin();
  EXPECT_EQ(held.get("/bytes/10").body, pattern(10));
}

// An idle connection to a server moves, too, and serves on.
TEST_P(MovesOfServers, KeepIdleConnectionsToServers) {
  begin();
  Client client(front->address());
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(client.get("/bytes/10").body, pattern(10));
    upgrade();
  }
  EXPECT_EQ(carriers(), 1);
}

}  // namespace
}  // namespace baton::harness
