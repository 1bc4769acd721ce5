// An exchange whose client's end is a stream of HTTP/2, and whose server speaks HTTP/1.1.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "proxy/engine/engine.hpp"
#include "proxy/engine/testing/blocks.hpp"

namespace baton::engine {
namespace {

class OnAStream : public testing::Test {
 protected:
  // A request with this head, as `http2::open` leaves it. `ends`: END_STREAM came with it.
  void begin(const std::string& head, bool ends, const state::Stream& facts = {}) {
    side.client.stream = facts;
    side.client.stream->head_bytes = static_cast<std::uint32_t>(head.size());
    side.client.stream->has_body = !ends;
    side.client.read_ended = ends;
    side.client.unread.append(head);
    EXPECT_EQ(advance(), Action::connect);
    side.exchange->upstream.emplace();
    EXPECT_EQ(advance(), Action::wait);
  }
  Action advance() {
    scratch.parsed_for = nullptr;
    return advance_stream(side, context());
  }
  Context context() { return {.rules = &rules, .scratch = scratch, .client_address = "192.0.2.1", .now_ms = now_ms}; }
  void client_sends(std::string_view content, bool ends = false) {
    side.client.unread.append(content);
    side.client.read_ended = ends;
  }
  // What the server has received since.
  std::string sent() {
    std::string bytes(side.upstream()->unsent.view());
    side.upstream()->unsent.clear();
    return bytes;
  }
  std::string sent_behind_head() {
    const std::string bytes = sent();
    return bytes.substr(bytes.find("\r\n\r\n") + 4);
  }
  // The next head that the client gets, and whether it ends the stream.
  std::pair<std::string, bool> head() { return take_head(*side.client.stream); }
  void server_sends(std::string_view bytes) {
    side.upstream()->unread.append(bytes);
    EXPECT_EQ(advance(), Action::wait);
  }

  Rules rules;
  http1::Scratch scratch;
  state::ClientSide side;
  std::int64_t now_ms = 1'000'000;
};

TEST_F(OnAStream, ContentWithoutALengthGoesOnInChunks) {
  begin("POST / HTTP/1.1\r\nHost: a\r\n\r\n", false);
  const std::string head = sent();
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos) << head;
  client_sends("hello");
  advance();
  EXPECT_EQ(sent(), "5\r\nhello\r\n");
  client_sends("", true);
  side.client.stream->trailers_in = state::Buffer();
  side.client.stream->trailers_in->append("x-sum: 1\r\n\r\n");
  advance();
  EXPECT_EQ(sent(), "0\r\nx-sum: 1\r\n\r\n");
}

TEST_F(OnAStream, ContentWithALengthGoesOnAsItCame) {
  begin("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\n\r\n", false, {.is_declared = true});
  const std::string head = sent();
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos) << head;
  client_sends("hello", true);
  advance();
  EXPECT_EQ(sent(), "hello");
}

TEST_F(OnAStream, ARetryBeginsAnewWithTheWholeContent) {
  begin("PUT / HTTP/1.1\r\nHost: a\r\n\r\n", false);
  client_sends("hello", true);
  advance();
  EXPECT_EQ(sent_behind_head(), "5\r\nhello\r\n0\r\n\r\n");
  side.upstream()->reused = true;
  EXPECT_EQ(upstream_lost(side, Loss::reset, context()), Action::cut_upstream);
  side.exchange->upstream.reset();
  EXPECT_EQ(advance(), Action::connect);
  side.exchange->upstream.emplace();
  EXPECT_EQ(advance(), Action::wait);
  EXPECT_EQ(sent_behind_head(), "5\r\nhello\r\n0\r\n\r\n");
}

TEST_F(OnAStream, AResponseEndsWithItsFlow) {
  begin("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true);
  server_sends(
      "HTTP/1.1 103 Early\r\nLink: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x\r\nX: "
      "y\r\n\r\n");
  EXPECT_EQ(head(), (std::pair<std::string, bool>(":status=103 link=b ", false)));
  EXPECT_EQ(head(), (std::pair<std::string, bool>(":status=200 ", false))) << "Connection names X";
  server_sends("3\r\nabc\r\n");
  EXPECT_EQ(side.client.unsent.view(), "abc");
  side.upstream()->unread.append("0\r\nX-Sum: 1\r\n\r\n");
  advance();
  ASSERT_TRUE(side.client.stream->trailers_out);
  EXPECT_EQ(fields_of(side.client.stream->trailers_out->view()), "x-sum=1 ");
}

TEST_F(OnAStream, AResponseWithoutContentEndsWithItsHead) {
  for (const std::string method : {"GET", "HEAD"}) {
    side = {};
    begin(method + " / HTTP/1.1\r\nHost: a\r\n\r\n", true);
    side.upstream()->unread.append(method == "HEAD" ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                                                    : "HTTP/1.1 204 No Content\r\n\r\n");
    advance();
    EXPECT_TRUE(head().second) << method;
    EXPECT_TRUE(side.client.stream->end_sent) << method;
  }
}

// It may wait for a 100, so that it is the server's turn.
TEST_F(OnAStream, AClientThatExpects100IsNotLateWithItsContent) {
  rules.body_ms = 1'000;
  rules.response_ms = 60'000;
  for (const std::string expect : {"", "expect: 100-continue\r\n"}) {
    side = {};
    begin("POST / HTTP/1.1\r\nHost: a\r\n" + expect + "\r\n", false);
    side.client.read_at_ms = side.client.write_at_ms = now_ms;
    sent();
    const std::int64_t late_ms = stream_deadline_ms(side, rules) - now_ms;
    EXPECT_EQ(late_ms, expect.empty() ? 1'000 : 60'000) << expect;
  }
}

TEST_F(OnAStream, ATunnelPassesContentUnchanged) {
  begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n", false,
        {.takes_connect = true});
  sent();
  client_sends("first");
  server_sends("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nback");
  EXPECT_EQ(head(), (std::pair<std::string, bool>(":status=200 ", false)));
  EXPECT_EQ(sent(), "first");
  EXPECT_EQ(side.client.unsent.view(), "back");
  side.client.unsent.clear();
  client_sends("", true);
  EXPECT_EQ(advance(), Action::end_upstream_writing);
}

// The client would take it for the beginning of its WebSocket.
TEST_F(OnAStream, ASuccessThatDoesNotSwitchIs501) {
  begin("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n", false,
        {.takes_connect = true});
  side.upstream()->unread.append("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(advance(), Action::cut_upstream);
  EXPECT_EQ(head().first.substr(0, 12), ":status=501 ");
  EXPECT_FALSE(scratch.refusal.is_servers()) << "it is no failure of the server";
}

}  // namespace
}  // namespace baton::engine
