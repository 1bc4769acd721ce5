// Connections move together with the streams that they have on connections to servers.
#include <gtest/gtest.h>

#include "http2/chain.hpp"
#include "http2/every_kind_of_stream.hpp"

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
  expect_every_kind_goes_on(front->address(), origin, [&] { upgrade(); });
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
