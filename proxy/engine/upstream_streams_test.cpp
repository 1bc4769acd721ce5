// An exchange whose server's end is a stream of HTTP/2, for clients of HTTP/1.1 and of HTTP/2.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "proxy/engine/engine.hpp"
#include "proxy/engine/testing/blocks.hpp"
#include "proxy/http2/frames.hpp"

namespace baton::engine {
namespace {

constexpr std::uint32_t refused_stream = 7, cancel = 8;

class ToAStream : public testing::Test {
 protected:
  // A client of HTTP/1.1 sends this, head first.
  void begin(const std::string& bytes) {
    state.client.unread.append(bytes);
    ASSERT_EQ(advance(), Action::connect);
    attach();
  }
  // The exchange gets a stream, and writes its head.
  Action attach() {
    state::UpstreamLeg& leg = state.exchange->upstream.emplace();
    leg.carrier = 1;
    http2::begin_stream({}, leg);
    leg.stream->id = 1;
    const Action action = advance();
    if (leg.write_ended) leg.stream->end_sent = true;  // as `seal` leaves it
    return action;
  }
  Action advance() {
    scratch.parsed_for = nullptr;
    return engine::advance(state, context()).action;
  }
  Context context() { return {.rules = &rules, .scratch = scratch, .client_address = "192.0.2.1", .now_ms = now_ms}; }
  state::UpstreamLeg& upstream() { return *state.upstream(); }
  state::Stream& stream() { return *upstream().stream; }
  // The head that the server gets, and whether it ends the stream.
  std::pair<std::string, bool> head() { return take_head(stream()); }
  std::string sent() {
    std::string bytes(upstream().unsent.view());
    upstream().unsent.clear();
    return bytes;
  }
  // The server's response, as `open` leaves it; then what the client gets.
  std::string answer(std::string_view text, bool ends, const std::string& trailers = "") {
    stream().heads.clear();  // sent
    upstream().unread.append(text);
    upstream().read_ended = ends;
    if (!trailers.empty()) stream().trailers_in.emplace().append(trailers + "\r\n\r\n");
    last = advance();
    std::string bytes(state.client.unsent.view());
    state.client.unsent.clear();
    return bytes;
  }
  void reset_by_server(std::uint32_t code) {
    upstream().read_ended = upstream().was_reset = true;
    stream().reset_code = code;
    upstream().drop_unsent();
    last = advance();
  }

  Rules rules;
  http1::Scratch scratch;
  state::ConnectionState state;
  std::int64_t now_ms = 1'000'000;
  Action last = Action::wait;
};

const std::string get_lines = "GET /a?b HTTP/1.1\r\nHost: a.example\r\n";

TEST_F(ToAStream, AHeadIsABlock) {
  begin(get_lines +
        "Connection: close, X\r\nX: y\r\nUpgrade: h2c\r\nTE: trailers, gzip\r\nConnection: te\r\nB: C\r\n\r\n");
  EXPECT_EQ(head(), (std::pair<std::string, bool>(":method=GET :scheme=http :authority=a.example :path=/a?b b=C "
                                                  "te=trailers x-forwarded-for=192.0.2.1 x-forwarded-proto=http "
                                                  "x-forwarded-host=a.example ",
                                                  true)));
  EXPECT_TRUE(upstream().write_ended);
}

TEST_F(ToAStream, ContentIsWithoutItsChunks) {
  begin("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n");
  const auto [fields, ends] = head();
  EXPECT_EQ(fields.find("transfer-encoding"), std::string::npos) << fields;
  EXPECT_FALSE(ends);
  EXPECT_EQ(sent(), "hello");
  state.client.unread.append("1\r\n!\r\n0\r\nSum: 1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(advance(), Action::wait);
  EXPECT_EQ(sent(), "!");
  ASSERT_TRUE(stream().trailers_out);
  EXPECT_EQ(fields_of(stream().trailers_out->view()), "sum=1 ");
  EXPECT_TRUE(upstream().write_ended);
}

TEST_F(ToAStream, ContentWithALengthEndsTheStream) {
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_NE(head().first.find("content-length=5 "), std::string::npos);
  EXPECT_FALSE(upstream().write_ended);
  state.client.unread.append("lo");
  advance();
  EXPECT_EQ(sent(), "hello");
  EXPECT_TRUE(upstream().write_ended);
}

TEST_F(ToAStream, AResponseWithoutALengthComesInChunks) {
  begin(get_lines + "\r\n");
  const std::string began = answer("HTTP/1.1 103 \r\nlink: x\r\n\r\nHTTP/1.1 200 \r\na: b\r\n\r\nhello", false);
  EXPECT_EQ(began,
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\na: b\r\nTransfer-Encoding: "
            "chunked\r\n\r\n5\r\nhello\r\n");
  EXPECT_EQ(answer("", true, "sum: 1"), "0\r\nsum: 1\r\n\r\n");
  EXPECT_EQ(last, Action::park);
  state.exchange->upstream.reset();
  EXPECT_EQ(advance(), Action::exchange_ended);
}

TEST_F(ToAStream, AResponseWithALengthComesAsItIs) {
  begin(get_lines + "\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello", true),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
  EXPECT_EQ(last, Action::park);
}

TEST_F(ToAStream, AnEmptyResponseSaysSo) {
  begin(get_lines + "\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200 \r\n\r\n", true), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(last, Action::park);
}

TEST_F(ToAStream, ResponsesThatNeverHaveContentNeedNoLength) {
  begin("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(stream().is_head_request);
  EXPECT_EQ(answer("HTTP/1.1 200 \r\n\r\n", true), "HTTP/1.1 200 OK\r\n\r\n");
}

// Its head says all; the empty frame that ends the stream may come later, or never.
TEST_F(ToAStream, AResponseThatNeverHasContentMayEndLater) {
  const std::string head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string old = get_lines + "If-None-Match: x\r\n\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {head, "200 \r\ncontent-length: 9"}, {head, "200 "}, {old, "304 \r\netag: x"}, {get_lines + "\r\n", "204 "}};
  for (const auto& [request, response] : cases) {
    for (const std::string how : {"ended", "reset", "late"}) {
      state = {};
      begin(request);
      const std::string got = answer("HTTP/1.1 " + response + "\r\n\r\n", false);
      EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
      EXPECT_EQ(got.find("ransfer-"), std::string::npos) << got;
      EXPECT_EQ(got.find("close"), std::string::npos) << got;
      EXPECT_EQ(last, Action::wait) << "not cancelled";
      if (how == "ended") {
        EXPECT_EQ(answer("", true), "");
      } else if (how == "reset") {
        reset_by_server(cancel);
      } else {
        now_ms = deadline_ms(state, rules);
        last = expire(state, context());
      }
      EXPECT_EQ(last, how == "late" ? Action::cut_upstream : Action::park) << how;
      state.exchange->upstream.reset();
      EXPECT_EQ(advance(), Action::exchange_ended);
      EXPECT_EQ(state.client.unsent.view(), "");
    }
  }
}

TEST_F(ToAStream, AnHttp10ClientGetsContentUntilTheEnd) {
  begin("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 200 \r\n\r\nhello", true, "sum: 1"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
  EXPECT_FALSE(state.exchange->request.keep_alive);
}

TEST_F(ToAStream, AResponseThatIsCutOffIsReset) {
  begin(get_lines + "\r\n");
  answer("HTTP/1.1 200 \r\ncontent-length: 9\r\n\r\nhello", false);
  reset_by_server(cancel);
  EXPECT_EQ(last, Action::reset);
}

// RFC 9113 §8.7: whatever the method.
TEST_F(ToAStream, ARefusedRequestGoesAgainWithItsContent) {
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  for (int attempt = 1; attempt < 4; ++attempt) {
    EXPECT_EQ(sent(), "hello");
    reset_by_server(refused_stream);
    EXPECT_EQ(last, Action::cut_upstream);
    ASSERT_TRUE(std::holds_alternative<state::Connecting>(state.exchange->phase));
    state.exchange->upstream.reset();
    EXPECT_EQ(advance(), Action::connect);
    attach();
  }
  reset_by_server(refused_stream);
  EXPECT_EQ(state.exchange->status, 502) << "not for ever";
}

// More of the content has come meanwhile, which must wait for the next attempt.
TEST_F(ToAStream, ARefusedRequestKeepsWhatHasNotBeenSent) {
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
  state.client.unread.append("world");
  reset_by_server(refused_stream);
  EXPECT_EQ(last, Action::cut_upstream);
  state.exchange->upstream.reset();
  EXPECT_EQ(advance(), Action::connect);
  attach();
  EXPECT_EQ(sent(), "helloworld");
}

TEST_F(ToAStream, AnyOtherResetOfAPostIs502) {
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  reset_by_server(cancel);
  EXPECT_EQ(state.exchange->status, 502);
}

// The server has answered and takes no more (RFC 9113 §8.1).
TEST_F(ToAStream, TheRestOfAnUploadThatIsNotWantedIsDropped) {
  begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
  upstream().drop_unsent();
  EXPECT_EQ(answer("HTTP/1.1 413 \r\ncontent-length: 2\r\n\r\nno", true),
            "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\nConnection: close\r\n\r\nno");
  EXPECT_EQ(last, Action::cut_upstream);
}

TEST_F(ToAStream, AWebSocketIsAnExtendedConnect) {
  begin(get_lines +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  const auto [fields, ends] = head();
  EXPECT_EQ(fields.substr(0, fields.find("x-forwarded")),
            ":method=CONNECT :scheme=http :authority=a.example :path=/a?b :protocol=websocket "
            "sec-websocket-version=13 ");
  EXPECT_FALSE(ends || upstream().write_ended);
  // The example of RFC 6455 §1.3.
  EXPECT_EQ(answer("HTTP/1.1 200 \r\nsec-websocket-protocol: chat\r\n\r\nhello", false),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: chat\r\n"
            "Connection: upgrade\r\n\r\nhello");
  EXPECT_TRUE(std::holds_alternative<state::Tunnelling>(state.exchange->phase));
  state.client.unread.append("back");
  state.client.read_ended = true;
  advance();
  EXPECT_EQ(sent(), "back");
  EXPECT_EQ(advance(), Action::end_upstream_writing);
}

TEST_F(ToAStream, AWebSocketThatIsRefusedIsAnAnswer) {
  begin(get_lines +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 403 \r\ncontent-length: 0\r\n\r\n", true),
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
}

TEST_F(ToAStream, GrpcMayBeSilentForAsLongAsATunnel) {
  rules.response_ms = 1'000;
  rules.tunnel_idle_ms = 900'000;
  for (const std::string type : {"text/plain", "application/grpc+proto"}) {
    state = {};
    begin("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Type: " + type + "\r\n\r\n");
    stream().heads.clear();
    EXPECT_EQ(deadline_ms(state, rules) - now_ms, type == "text/plain" ? 1'000 : 900'000);
  }
}

}  // namespace
}  // namespace baton::engine
