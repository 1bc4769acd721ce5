#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/http2/testing/frames.hpp"

namespace baton::http2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

// ── Heads ─────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string text_of(const List& list) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, list));
  const state::Flow* const flow = connection.find(1);
  return flow != nullptr ? std::string(flow->unread.view()) : "";
}

TEST(Heads, BecomeText) {
  EXPECT_EQ(text_of(with(get, "accept", "*/*")), "GET / HTTP/1.1\r\nHost: a\r\naccept: */*\r\n\r\n");
  EXPECT_EQ(text_of(with(without(get, ":authority"), "host", "b")), "GET / HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(text_of(with(get, "host", "A")), "GET / HTTP/1.1\r\nHost: A\r\n\r\n");
  EXPECT_EQ(text_of({{":method", "CONNECT"}, {":authority", "a:1"}}), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
  EXPECT_EQ(text_of({{":method", "OPTIONS"}, {":scheme", "http"}, {":path", "*"}, {":authority", "a"}}),
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(text_of(with(get, "te", "trailers")), "GET / HTTP/1.1\r\nHost: a\r\nte: trailers\r\n\r\n");
}

TEST(Heads, JoinCookies) {
  EXPECT_EQ(text_of(with(with(with(get, "cookie", "a=1"), "b", "c"), "cookie", "d=2")),
            "GET / HTTP/1.1\r\nHost: a\r\nb: c\r\ncookie: a=1; d=2\r\n\r\n");
}

TEST(Heads, OfAnExtendedConnectAskForAnUpgrade) {
  const std::string text = text_of({{":method", "CONNECT"},
                                    {":protocol", "websocket"},
                                    {":scheme", "https"},
                                    {":path", "/chat"},
                                    {":authority", "a"},
                                    {"sec-websocket-version", "13"}});
  EXPECT_THAT(text, StartsWith("GET /chat HTTP/1.1\r\nHost: a\r\nsec-websocket-version: 13\r\nConnection: Upgrade\r\n"
                               "Upgrade: websocket\r\nSec-WebSocket-Key: "));
}

TEST(Heads, ThatAreTooLongAreRefusedWith431) {
  Connection connection;
  connection.greet();
  connection.terms.list_bytes = 4'000;
  connection.take(headers(1, with(get, "a", std::string(5'000, 'x'))));
  ASSERT_NE(connection.find(1), nullptr);
  EXPECT_EQ(connection.find(1)->stream->refused_with, 431);
  EXPECT_THAT(connection.errors(), IsEmpty());
}

TEST(Heads, ComeInContinuations) {
  Connection connection;
  connection.greet();
  const std::string all = block(with(get, "a", "b"));
  connection.take(frame(FrameType::headers, flag_end_stream, 1, all.substr(0, 1)));
  connection.take(frame(FrameType::continuation, 0, 1, all.substr(1, 2)));
  EXPECT_EQ(connection.find(1), nullptr);
  connection.take(frame(FrameType::continuation, flag_end_headers, 1, all.substr(3)));
  ASSERT_NE(connection.find(1), nullptr);
  EXPECT_EQ(connection.find(1)->unread.view(), "GET / HTTP/1.1\r\nHost: a\r\na: b\r\n\r\n");
  EXPECT_TRUE(connection.find(1)->read_ended);
}

// ── Floods ────────────────────────────────────────────────────────────────────────────────────────────────────────

bool ends(Connection& connection, const std::string& one, int most) {
  for (int i = 0; i < most; ++i) {
    if (!connection.take(one)) return true;
    connection.leg.unsent.clear();
  }
  return false;
}

TEST(Floods, EndTheConnection) {
  const std::string many[] = {frame(FrameType::ping, 0, 0, "12345678"),
                              frame(FrameType::settings, 0, 0),
                              frame(FrameType::priority, 0, 1, number(0) + "\x10"),
                              frame(FrameType::window_update, 0, 0, number(1)),
                              frame(FrameType::data, 0, 1),
                              frame(FrameType::data, flag_padded, 1, std::string(1, '\0')),
                              frame(FrameType{0x77}, 0, 0)};
  for (const std::string& one : many) {
    Connection connection;
    connection.greet();
    connection.take(opened);
    EXPECT_TRUE(ends(connection, one, 11'000)) << one;
    EXPECT_EQ(connection.scratch.failure, "too many useless frames");
  }
}

// Each setting may change the windows of all streams.
TEST(Floods, OfSettingsEndByTheirNumber) {
  std::string settings;
  for (std::uint32_t i = 0; i < 2'000; ++i) settings += setting(4, 256 + i % 2);
  Connection connection;
  connection.greet();
  EXPECT_TRUE(ends(connection, frame(FrameType::settings, 0, 0, settings), 6));
  EXPECT_EQ(connection.scratch.failure, "too many useless frames");
}

// Each message of a gRPC stream is confirmed so.
TEST(Floods, AreNotMadeOfConfirmations) {
  Connection connection;
  connection.greet();
  const std::string confirmation =
      frame(FrameType::window_update, 0, 0, number(5)) + frame(FrameType::window_update, 0, 0, number(5));
  for (int i = 0; i < 20'000; ++i) {
    connection.floods.note_sent();
    ASSERT_TRUE(connection.take(confirmation)) << i;
  }
  EXPECT_TRUE(ends(connection, confirmation, 6'000)) << "nothing was sent";
}

// Which we have reset, as a request that is answered before its end.
TEST(Floods, OfStreamsThatAreOverEndTheConnection) {
  for (const std::string& one :
       {frame(FrameType::data, 0, 1), frame(FrameType::data, flag_padded, 1, std::string(9, 8)), headers(1, get)}) {
    Connection connection;
    connection.greet();
    connection.take(opened);
    reset(connection.frames, connection.leg, *connection.find(1), Error::no_error);
    connection.flows.erase(1);
    EXPECT_TRUE(ends(connection, one, 11'000)) << testing::PrintToString(one);
    EXPECT_EQ(connection.scratch.failure, "too many useless frames");
  }
}

// As a client sends them that reads what was on its way when its stream ended.
TEST(Floods, AreNotMadeOfCreditForStreamsThatAreOver) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get));
  connection.end(1);
  EXPECT_FALSE(ends(connection, frame(FrameType::window_update, 0, 1, number(4'096)), 30'000));
}

TEST(Floods, OfResetsEndSooner) {
  Connection connection;
  connection.greet();
  std::uint32_t id = 1;
  bool has_ended = false;
  for (int i = 0; i < 1'100 && !has_ended; ++i, id += 2) {
    has_ended = !connection.take(headers(id, get) + frame(FrameType::rst_stream, 0, id, number(8)));
    connection.flows.erase(id);
    connection.leg.unsent.clear();
  }
  EXPECT_TRUE(has_ended);
}

// The client makes us reset its requests, each of which costs its server as much.
TEST(Floods, OfRequestsThatWeMustResetEndSooner) {
  Connection connection;
  connection.greet();
  std::uint32_t id = 1;
  bool has_ended = false;
  for (int i = 0; i < 1'100 && !has_ended; ++i, id += 2) {
    has_ended = !connection.take(headers(id, get) + frame(FrameType::window_update, 0, id, number(0)));
    connection.flows.erase(id);
    connection.leg.unsent.clear();
  }
  EXPECT_TRUE(has_ended);
}

TEST(Floods, AreNoneOverTime) {
  Connection connection;
  connection.greet();
  for (int i = 0; i < 50'000; ++i) {
    connection.now_ms += 5;
    ASSERT_TRUE(connection.take(frame(FrameType::ping, 0, 0, "12345678")));
    connection.leg.unsent.clear();
  }
}

TEST(Floods, OfContinuationsEndTheConnection) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get, 0));
  EXPECT_TRUE(ends(connection, frame(FrameType::continuation, 0, 1), 65));
  EXPECT_EQ(connection.scratch.failure, "a header block is too long");
}

TEST(Floods, OfBlocksAreBounded) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get, 0));
  EXPECT_TRUE(ends(connection, frame(FrameType::continuation, 0, 1, std::string(16'384, 'x')), 10));
}

// ── Streams and windows ───────────────────────────────────────────────────────────────────────────────────────────

TEST(Streams, MakeRoomAtOnceWhenTheyAreReset) {
  Connection connection;
  connection.greet();
  connection.frames.streams_max = 2;
  connection.answers();
  connection.take(headers(1, get) + headers(3, get) + frame(FrameType::rst_stream, 0, 1, number(8)) + headers(5, get) +
                  headers(7, get));
  EXPECT_EQ(connection.errors(), std::vector<std::string>{"RST 7 7"});
  EXPECT_TRUE(connection.find(5) != nullptr);
}

TEST(Streams, BeyondTheLimitAreRefused) {
  Connection connection;
  connection.greet();
  connection.frames.streams_max = 1;
  connection.take(headers(1, get) + headers(3, get));
  EXPECT_THAT(connection.errors(), ElementsAre("RST 3 7"));
  connection.take(frame(FrameType::data, 1, 3, "x"));  // was on its way
  EXPECT_THAT(connection.errors(), IsEmpty());
}

TEST(Streams, AreResetOnce) {
  Connection connection;
  connection.greet();
  const std::string bad = frame(FrameType::window_update, 0, 1, number(0));
  connection.take(opened + bad + bad + frame(FrameType::data, 0, 1, "x") + headers(1, {{"a", "b"}}));
  EXPECT_THAT(connection.errors(), ElementsAre("RST 1 1"));
}

TEST(Streams, AfterGoawayAreNotServed) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, post, whole));
  go_away(connection.frames, connection.leg);
  EXPECT_THAT(connection.errors(), ElementsAre("GOAWAY 0"));
  EXPECT_TRUE(connection.take(headers(3, post, whole) + frame(FrameType::data, 1, 3, "x")));
  EXPECT_EQ(connection.find(3), nullptr);
  EXPECT_TRUE(connection.take(frame(FrameType::data, 1, 1, "x")));
  EXPECT_TRUE(connection.find(1)->read_ended);
  EXPECT_THAT(connection.errors(), IsEmpty());
}

// What was forwarded, and stays for another attempt, is no reason to hold the client back.
TEST(Windows, ComeBackForBytesThatAreKept) {
  Connection connection;
  connection.terms.stream_window = 65'535;
  connection.frames.stream_window = 65'535;
  connection.greet();
  connection.take(opened);
  state::Flow& flow = *connection.find(1);
  for (int i = 0; i < 3; ++i) connection.take(frame(FrameType::data, 0, 1, std::string(16'000, 'x')));
  const std::int64_t left = flow.stream->receive_window;
  return_credit(connection.frames, connection.leg, flow);
  EXPECT_EQ(flow.stream->receive_window, left);
  return_credit(connection.frames, connection.leg, flow, flow.unread.size());
  EXPECT_EQ(flow.stream->receive_window, 65'535);
}

TEST(Windows, OfTheConnectionComeBackForStreamsThatAreGone) {
  Connection connection;
  connection.greet();
  for (std::uint32_t id = 1; id < 1'000; id += 2) {
    ASSERT_TRUE(connection.take(headers(id, post, whole)));
    state::Flow& flow = *connection.find(id);
    reset(connection.frames, connection.leg, flow, Error::no_error);
    connection.flows.erase(id);
    ASSERT_TRUE(connection.take(frame(FrameType::data, 1, id, std::string(16'000, 'x')))) << id;
    return_credit(connection.frames, connection.leg, 0, connection.terms);
    connection.leg.unsent.clear();
  }
}

TEST(Windows, AreEnforced) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, post, whole));
  const std::string piece = frame(FrameType::data, 0, 1, std::string(16'384, 'x'));
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(connection.take(piece));
  EXPECT_THAT(connection.errors(), IsEmpty());
  EXPECT_TRUE(connection.take(piece));
  EXPECT_THAT(connection.errors(), ElementsAre("RST 1 3"));
}

TEST(Windows, OfTheConnectionAreEnforcedOverAllStreams) {
  Connection connection;
  connection.greet();
  const std::string content(16'384, 'x');
  std::size_t bytes = 0;
  std::uint32_t id = 1;
  for (; bytes + content.size() <= connection.terms.connection_window; id += 2, bytes += content.size()) {
    ASSERT_TRUE(connection.take(headers(id, post, whole) + frame(FrameType::data, 0, id, content)));
  }
  EXPECT_THAT(connection.errors(), IsEmpty());
  EXPECT_FALSE(connection.take(headers(id, post, whole) + frame(FrameType::data, 0, id, content)));
  EXPECT_THAT(connection.errors(), ElementsAre("GOAWAY 3"));
}

TEST(Windows, HoldBackWhatIsSent) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get));
  connection.answers();
  state::Flow& flow = *connection.find(1);
  flow.unsent.append(std::string(100'000, 'y'));
  flow.write_ended = true;
  std::size_t bytes = 0;
  while (seal(connection.frames, connection.leg, flow, connection.terms)) {
    for (const Frame& one : connection.answers()) bytes += one.payload.size();
  }
  EXPECT_EQ(bytes, 65'535u);
  connection.take(frame(FrameType::window_update, 0, 1, number(100'000)));
  EXPECT_FALSE(can_seal(connection.frames, connection.leg, flow, connection.terms));  // the connection's
  connection.take(frame(FrameType::window_update, 0, 0, number(100'000)));
  bool has_ended = false;
  while (seal(connection.frames, connection.leg, flow, connection.terms)) {
    for (const Frame& one : connection.answers()) {
      bytes += one.payload.size();
      has_ended = one.head.has(flag_end_stream);
    }
  }
  EXPECT_EQ(bytes, 100'000u);
  EXPECT_TRUE(has_ended);
  EXPECT_TRUE(flow.all_sent());
}

TEST(Windows, MayBecomeNegative) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get));
  state::Flow& flow = *connection.find(1);
  flow.unsent.append(std::string(60'000, 'y'));
  while (seal(connection.frames, connection.leg, flow, connection.terms)) connection.answers();
  connection.take(frame(FrameType::settings, 0, 0, setting(4, 10'000)));
  EXPECT_EQ(flow.stream->send_window, 10'000 - 60'000);
  connection.take(frame(FrameType::window_update, 0, 1, number(50'001)));
  EXPECT_EQ(flow.stream->send_window, 1);
}

TEST(Sealing, PutsTrailersBehindTheContent) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get));
  connection.answers();
  state::Flow& flow = *connection.find(1);
  state::Buffer trailers;
  append_field(trailers, "a", "b");
  flow.stream->trailers_out = std::move(trailers);
  flow.unsent.append("content");
  flow.write_ended = true;
  EXPECT_TRUE(seal(connection.frames, connection.leg, flow, connection.terms));
  const std::vector<Frame> frames = connection.answers();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].head.type, FrameType::data);
  EXPECT_FALSE(frames[0].head.has(flag_end_stream));
  EXPECT_EQ(frames[1].head.type, FrameType::headers);
  EXPECT_TRUE(frames[1].head.has(flag_end_stream));
}

TEST(Sealing, SplitsLongBlocks) {
  Connection connection;
  connection.greet();
  connection.take(headers(1, get));
  connection.answers();
  state::Flow& flow = *connection.find(1);
  const std::string content(40'000, 'x');
  append_number(flow.stream->heads, number_of({40'000, false}));
  flow.stream->heads.append(content);
  EXPECT_TRUE(seal(connection.frames, connection.leg, flow, connection.terms));
  const std::vector<Frame> frames = connection.answers();
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].payload + frames[1].payload + frames[2].payload, content);
  EXPECT_FALSE(frames[1].head.has(flag_end_headers));
  EXPECT_TRUE(frames[2].head.has(flag_end_headers));
}

}  // namespace
}  // namespace baton::http2
