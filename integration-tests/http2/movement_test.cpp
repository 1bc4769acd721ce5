// Connections of HTTP/2 move with all their streams.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/http2_client.hpp"
#include "harness/origin.hpp"
#include "http2/every_kind_of_stream.hpp"

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
  expect_every_kind_goes_on(baton.address(), origin, [&] { baton.upgrade(); });
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
