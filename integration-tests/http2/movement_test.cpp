// Connections of HTTP/2 move with all their streams.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/http2_client.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Http2Moves : public testing::Test {
 protected:
  Settings settings() const {
    Settings settings(origin.address());
    settings.handoff += ", finish_timeout: 50ms";
    return settings;
  }

  Origin origin;
};

TEST_F(Http2Moves, WithEveryKindOfStream) {
  Baton baton(settings());
  Http2Client client(baton.address(), {.stream_window = 10'000, .updates_windows = false});
  const std::int32_t held = client.begin_get("/held");
  origin.gate().await_arrivals(1);
  const std::int32_t stalled = client.begin_get("/bytes/50000");
  const std::int32_t upload = client.begin_post("/count");
  const std::int32_t counted = client.begin_post("/count", {{"content-length", "30000"}});
  const std::int32_t socket = client.begin_websocket("/websocket");
  client.await_head(socket);
  std::string tunnelled;
  std::string uploaded;
  std::string declared;
  for (int i = 0; i < 3; ++i) {
    const std::string piece = pattern(30'000).substr(static_cast<std::size_t>(i) * 10'000, 10'000);
    uploaded += piece;
    client.send(upload, piece);
    client.send(counted, piece);
    client.send(socket, "tick");
    tunnelled += "tick";
    EXPECT_EQ(client.await_body(socket, tunnelled.size()).body, tunnelled);
    baton.upgrade();
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
  EXPECT_FALSE(client.goaway());
}

// The decoder's table moves: the client's encoder goes on to refer to it.
TEST_F(Http2Moves, WithTheTableOfItsFields) {
  Baton baton(settings());
  Http2Client client(baton.address());
  for (int i = 0; i < 4; ++i) {
    for (int k = 0; k < 3; ++k) {
      const std::string name = "x-field-" + std::to_string(k);
      const std::string echo = client.get("/echo", {{name, "a value that is indexed"}}).body;
      EXPECT_NE(echo.find(name + ": a value that is indexed"), std::string::npos) << echo;
    }
    baton.upgrade();
  }
}

std::string frame(int type, int flags, int stream, const std::string& payload) {
  const std::string head{
      '\0', '\0', static_cast<char>(payload.size()), static_cast<char>(type), static_cast<char>(flags), '\0',
      '\0', '\0', static_cast<char>(stream)};
  return head + payload;
}

// In the middle of the preface, of a frame and of a header block.
TEST_F(Http2Moves, AtAnyByteOfARequest) {
  Baton baton(settings());
  const std::string head = frame(1, 1, 1, "\x82\x86\x84\x41");
  const std::string request =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "") + head + frame(9, 4, 1, "\x04test");
  for (const std::size_t cut : {5u, 24u, 30u, 33u, 40u, 44u, 46u, 50u, 56u}) {
    Client client(baton.address());
    client.send(request.substr(0, cut));
    baton.upgrade();
    client.send(request.substr(cut));
    // HEADERS of stream 1 come, whatever stands before.
    std::string came;
    while (came.find(std::string("\1\4\0\0\0\1", 6)) == std::string::npos) came += client.read_exactly(1);
  }
}

}  // namespace
}  // namespace baton::harness
