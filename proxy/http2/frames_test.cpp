#include "proxy/http2/frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_encoder.hpp"

namespace baton::http2 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

struct Frame {
  FrameHead head;
  std::string payload;
};

std::string frame(FrameType type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  state::Buffer out;
  append_frame_head(out, {static_cast<std::uint32_t>(payload.size()), type, flags, stream});
  out.append(payload);
  return std::string(out.view());
}

std::string number(std::uint32_t value) {
  const auto bytes = bytes_of(value);
  return {bytes.data(), bytes.size()};
}

std::string setting(std::uint16_t id, std::uint32_t value) {
  return std::string{static_cast<char>(id >> 8), static_cast<char>(id)} + number(value);
}

using List = std::vector<std::pair<std::string, std::string>>;

std::string block(const List& list) {
  state::Buffer out;
  for (const auto& [name, value] : list) append_field(out, name, value);
  return std::string(out.view());
}

const List get{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};
const List post{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}};

constexpr std::uint8_t whole = flag_end_headers;
constexpr std::uint8_t last = flag_end_headers | flag_end_stream;

std::string headers(std::uint32_t stream, const List& list, std::uint8_t flags = last) {
  return frame(FrameType::headers, flags, stream, block(list));
}

// A connection, and its streams as a worker keeps them.
class Connection final : public Streams {
 public:
  Connection() {
    begin(frames, leg, terms);
    answers();
  }

  std::size_t count() const override { return flows.size(); }
  state::Flow* find(std::uint32_t id) override {
    const auto found = flows.find(id);
    return found != flows.end() ? &found->second : nullptr;
  }
  state::Flow& begin(std::uint32_t id) override {
    state::Flow& flow = flows[id];
    flow.stream.emplace();
    return flow;
  }
  void note_touched(std::uint32_t id) override { touched.push_back(id); }
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override {
    for (auto& [id, flow] : flows) visit(flow, with);
  }
  using Streams::begin;
  static void begin(state::Frames& frames, state::Flow& leg, const Terms& terms) { http2::begin(frames, leg, terms); }

  bool take(std::string_view bytes) {
    leg.unread.append(bytes);
    return open(frames, leg, *this, terms, now_ms, floods, scratch);
  }
  bool greet() { return take(std::string(preface) + frame(FrameType::settings, 0, 0)); }
  // What has been written since.
  std::vector<Frame> answers() {
    std::vector<Frame> all;
    std::string_view rest = leg.unsent.view();
    while (rest.size() >= frame_head_bytes) {
      const FrameHead head = read_frame_head(rest.data());
      all.push_back({head, std::string(rest.substr(frame_head_bytes, head.bytes))});
      rest.remove_prefix(frame_head_bytes + head.bytes);
    }
    EXPECT_THAT(rest, IsEmpty());
    leg.unsent.clear();
    return all;
  }
  // "GOAWAY 1", "RST 3 7": the errors among the answers.
  std::vector<std::string> errors() {
    std::vector<std::string> all;
    for (const Frame& one : answers()) {
      if (one.head.type == FrameType::goaway) {
        all.push_back("GOAWAY " + std::to_string(read_number(one.payload.data() + 4)));
      } else if (one.head.type == FrameType::rst_stream) {
        all.push_back("RST " + std::to_string(one.head.stream) + " " + std::to_string(read_number(one.payload.data())));
      }
    }
    return all;
  }
  // The stream is over on our side.
  void end(std::uint32_t id) {
    note_ended(frames, *find(id));
    flows.erase(id);
  }

  state::Frames frames;
  state::Flow leg;
  Terms terms;
  std::int64_t now_ms = 1'000;
  Floods floods;
  Scratch scratch;
  std::map<std::uint32_t, state::Flow> flows;
  std::vector<std::uint32_t> touched;
};

// ── Errors: each MUST of RFC 9113 §4 to §8 that a client can break ────────────────────────────────────────────────

struct Case {
  std::string name;
  std::vector<std::string> frames;  // after the preface and SETTINGS
  std::vector<std::string> errors;
};

class Broken : public testing::TestWithParam<Case> {};

TEST_P(Broken, IsAnswered) {
  Connection connection;
  ASSERT_TRUE(connection.greet());
  connection.answers();
  for (const std::string& one : GetParam().frames) {
    if (!connection.take(one)) break;
  }
  EXPECT_EQ(connection.errors(), GetParam().errors) << connection.scratch.failure;
}

// The same, byte by byte.
TEST_P(Broken, IsAnsweredBitByBit) {
  Connection connection;
  ASSERT_TRUE(connection.greet());
  connection.answers();
  for (const std::string& one : GetParam().frames) {
    for (const char c : one) {
      if (!connection.take({&c, 1})) break;
    }
  }
  EXPECT_EQ(connection.errors(), GetParam().errors) << connection.scratch.failure;
}

List with(List list, const std::string& name, const std::string& value) {
  list.emplace_back(name, value);
  return list;
}
List without(List list, const std::string& name) {
  std::erase_if(list, [&](const auto& field) { return field.first == name; });
  return list;
}
const std::string opened = headers(1, post, whole);
std::string malformed(const List& list) { return headers(1, list); }
const std::vector<std::string> is_malformed{"RST 1 1"};

const std::vector<Case> cases{
    // §4.1, §4.2
    {"LongFrame", {frame(FrameType::data, 0, 1, std::string(16'385, 'x'))}, {"GOAWAY 6"}},
    // §4.3
    {"InvalidBlock", {frame(FrameType::headers, last, 1, "\xff\xff\xff\xff\xff\xff")}, {"GOAWAY 9"}},
    {"InvalidIndex", {frame(FrameType::headers, last, 1, "\x80")}, {"GOAWAY 9"}},
    {"InterruptedBlock", {headers(1, get, flag_end_stream), frame(FrameType::ping, 0, 0, "12345678")}, {"GOAWAY 1"}},
    {"BlockOfAnotherStream", {headers(1, get, flag_end_stream), frame(FrameType::continuation, 4, 3)}, {"GOAWAY 1"}},
    {"UnknownFrameInABlock", {headers(1, get, flag_end_stream), frame(FrameType{0x16}, 0, 1)}, {"GOAWAY 1"}},
    // §5.1
    {"DataOnAnIdleStream", {frame(FrameType::data, 1, 1, "x")}, {"GOAWAY 1"}},
    {"ResetOfAnIdleStream", {frame(FrameType::rst_stream, 0, 1, number(8))}, {"GOAWAY 1"}},
    {"WindowOfAnIdleStream", {frame(FrameType::window_update, 0, 1, number(8))}, {"GOAWAY 1"}},
    {"ContinuationOfNothing", {frame(FrameType::continuation, 4, 1)}, {"GOAWAY 1"}},
    {"DataAfterTheEnd", {headers(1, get), frame(FrameType::data, 1, 1, "x")}, {"RST 1 5"}},
    {"HeadersAfterTheEnd", {headers(1, get), headers(1, get)}, {"RST 1 5"}},
    {"DataAfterReset", {opened, frame(FrameType::rst_stream, 0, 1, number(8)), frame(FrameType::data, 1, 1, "x")}, {"RST 1 5"}},
    {"EvenStream", {headers(2, get)}, {"GOAWAY 1"}},
    {"LowerStream", {headers(5, get), headers(3, get)}, {"GOAWAY 1"}},
    // §5.2, §6.9
    {"WindowBy0", {frame(FrameType::window_update, 0, 0, number(0))}, {"GOAWAY 1"}},
    {"StreamWindowBy0", {opened, frame(FrameType::window_update, 0, 1, number(0))}, {"RST 1 1"}},
    {"WindowTooLarge", {frame(FrameType::window_update, 0, 0, number(0x7fff'ffff))}, {"GOAWAY 3"}},
    {"StreamWindowTooLarge", {opened, frame(FrameType::window_update, 0, 1, number(0x7fff'ffff))}, {"RST 1 3"}},
    {"WindowUpdateLength", {frame(FrameType::window_update, 0, 0, "123")}, {"GOAWAY 6"}},
    {"SettingsMakeAWindowTooLarge",
     {opened, frame(FrameType::window_update, 0, 1, number(0x7fff'0000)),
      frame(FrameType::settings, 0, 0, setting(4, 0x7fff'ffff))},
     {"GOAWAY 3"}},
    // §6.1
    {"DataOnNoStream", {frame(FrameType::data, 0, 0, "x")}, {"GOAWAY 1"}},
    {"PaddingOfData", {opened, frame(FrameType::data, flag_padded, 1, std::string("\x02x", 2))}, {"GOAWAY 1"}},
    {"PaddingOfNothing", {opened, frame(FrameType::data, flag_padded, 1)}, {"GOAWAY 1"}},
    // §6.2
    {"HeadersOnNoStream", {headers(0, get)}, {"GOAWAY 1"}},
    {"PaddingOfHeaders", {frame(FrameType::headers, last | flag_padded, 1, "\x09" + block(get).substr(0, 3))}, {"GOAWAY 1"}},
    {"DependsOnItself", {frame(FrameType::headers, last | flag_priority, 1, number(1) + "\x10" + block(get))}, {"GOAWAY 1"}},
    // §6.3
    {"PriorityOfNoStream", {frame(FrameType::priority, 0, 0, "12345")}, {"GOAWAY 1"}},
    {"PriorityLength", {opened, frame(FrameType::priority, 0, 1, "1234")}, {"RST 1 6"}},
    // §6.4
    {"ResetOfNoStream", {frame(FrameType::rst_stream, 0, 0, number(8))}, {"GOAWAY 1"}},
    {"ResetLength", {opened, frame(FrameType::rst_stream, 0, 1, "123")}, {"GOAWAY 6"}},
    // §6.5
    {"SettingsOfAStream", {frame(FrameType::settings, 0, 1)}, {"GOAWAY 1"}},
    {"SettingsLength", {frame(FrameType::settings, 0, 0, "12345")}, {"GOAWAY 6"}},
    {"AcknowledgedSettings", {frame(FrameType::settings, flag_ack, 0, setting(4, 1))}, {"GOAWAY 6"}},
    {"EnablePush", {frame(FrameType::settings, 0, 0, setting(2, 2))}, {"GOAWAY 1"}},
    {"InitialWindow", {frame(FrameType::settings, 0, 0, setting(4, 0x8000'0000))}, {"GOAWAY 3"}},
    {"SmallFrames", {frame(FrameType::settings, 0, 0, setting(5, 16'383))}, {"GOAWAY 1"}},
    {"LargeFrames", {frame(FrameType::settings, 0, 0, setting(5, 16'777'216))}, {"GOAWAY 1"}},
    // §6.6, §6.7, §6.8
    {"Push", {frame(FrameType::push_promise, 4, 1, number(2) + block(get))}, {"GOAWAY 1"}},
    {"PingOfAStream", {frame(FrameType::ping, 0, 1, "12345678")}, {"GOAWAY 1"}},
    {"PingLength", {frame(FrameType::ping, 0, 0, "1234567")}, {"GOAWAY 6"}},
    {"GoawayOfAStream", {frame(FrameType::goaway, 0, 1, number(0) + number(0))}, {"GOAWAY 1"}},
    {"GoawayLength", {frame(FrameType::goaway, 0, 0, number(0))}, {"GOAWAY 6"}},
    // §8.1, §8.1.1
    {"TrailersThatDoNotEnd", {opened, headers(1, {{"a", "b"}}, whole)}, {"RST 1 1"}},
    {"PseudoFieldInTrailers", {opened, headers(1, {{":path", "/"}})}, {"RST 1 1"}},
    {"MoreThanDeclared", {headers(1, with(post, "content-length", "1"), whole), frame(FrameType::data, 0, 1, "xx")}, {"RST 1 1"}},
    {"LessThanDeclared", {headers(1, with(post, "content-length", "2"), whole), frame(FrameType::data, 1, 1, "x")}, {"RST 1 1"}},
    {"TrailersBeforeTheDeclaredEnd",
     {headers(1, with(post, "content-length", "2"), whole), headers(1, {{"a", "b"}})}, {"RST 1 1"}},
    {"DeclaredButNothingComes", {malformed(with(post, "content-length", "2"))}, is_malformed},
    {"DeclaredNoNumber", {malformed(with(post, "content-length", "+0"))}, is_malformed},
    // §8.2
    {"UpperCase", {malformed(with(get, "a", "b"))}, {}},
    {"Connection", {malformed(with(get, "connection", "close"))}, is_malformed},
    {"KeepAlive", {malformed(with(get, "keep-alive", "1"))}, is_malformed},
    {"ProxyConnection", {malformed(with(get, "proxy-connection", "close"))}, is_malformed},
    {"TransferEncoding", {malformed(with(get, "transfer-encoding", "chunked"))}, is_malformed},
    {"Upgrade", {malformed(with(get, "upgrade", "websocket"))}, is_malformed},
    {"Te", {malformed(with(get, "te", "gzip"))}, is_malformed},
    {"LineFeedInAValue", {malformed(with(get, "a", "b\ncontent-length: 1"))}, is_malformed},
    {"ReturnInAValue", {malformed(with(get, "a", "b\rc"))}, is_malformed},
    {"NulInAValue", {malformed(with(get, "a", std::string("b\0c", 3)))}, is_malformed},
    {"BlankBeforeAValue", {malformed(with(get, "a", " b"))}, is_malformed},
    {"BlankBehindAValue", {malformed(with(get, "a", "b\t"))}, is_malformed},
    {"ColonInAName", {malformed(with(get, "a:b", "c"))}, is_malformed},
    {"BlankInAName", {malformed(with(get, "a b", "c"))}, is_malformed},
    {"LineFeedInAName", {malformed(with(get, "a\n", "c"))}, is_malformed},
    {"EmptyName", {malformed(with(get, "", "c"))}, is_malformed},
    // §8.3
    {"UnknownPseudoField", {malformed(with(List{{":status", "200"}}, ":method", "GET"))}, is_malformed},
    {"LatePseudoField", {malformed(with(with(without(get, ":path"), "a", "b"), ":path", "/"))}, is_malformed},
    {"TwoPaths", {malformed(with(get, ":path", "/b"))}, is_malformed},
    {"NoPath", {malformed(without(get, ":path"))}, is_malformed},
    {"NoScheme", {malformed(without(get, ":scheme"))}, is_malformed},
    {"NoMethod", {malformed(without(get, ":method"))}, is_malformed},
    {"EmptyPath", {malformed(with(without(get, ":path"), ":path", ""))}, is_malformed},
    {"RelativePath", {malformed(with(without(get, ":path"), ":path", "a"))}, is_malformed},
    {"PathWithABlank", {malformed(with(without(get, ":path"), ":path", "/ HTTP/1.1"))}, is_malformed},
    {"PathWithALine", {malformed(with(without(get, ":path"), ":path", "/\r\nx: y"))}, is_malformed},
    {"MethodWithABlank", {malformed(with(without(get, ":method"), ":method", "GET /x"))}, is_malformed},
    {"AuthorityWithAUser", {malformed(with(without(get, ":authority"), ":authority", "u@a"))}, is_malformed},
    {"AuthorityWithALine", {malformed(with(without(get, ":authority"), ":authority", "a\r\nx: y"))}, is_malformed},
    {"TwoHosts", {malformed(with(get, "host", "b"))}, is_malformed},
    {"ConnectWithAPath", {malformed(with(List{{":method", "CONNECT"}, {":authority", "a:1"}}, ":path", "/"))}, is_malformed},
    {"ConnectWithoutAuthority", {malformed({{":method", "CONNECT"}})}, is_malformed},
    {"ProtocolWithoutConnect", {malformed(with(get, ":protocol", "websocket"))}, is_malformed},
};
INSTANTIATE_TEST_SUITE_P(Frames, Broken, testing::ValuesIn(cases), [](const auto& one) { return one.param.name; });

// The encoder writes names in lower case, so this block is written by hand.
TEST(Frames, UpperCaseIsMalformed) {
  Connection connection;
  connection.greet();
  connection.take(frame(FrameType::headers, last, 1, block(get) + std::string("\x00\x01" "A\x01" "b", 5)));
  EXPECT_THAT(connection.errors(), ElementsAre("RST 1 1"));
}

TEST(Frames, BeginWithThePreface) {
  Connection connection;
  EXPECT_FALSE(connection.take("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_THAT(connection.errors(), ElementsAre("GOAWAY 1"));
}

TEST(Frames, BeginWithSettings) {
  Connection connection;
  EXPECT_FALSE(connection.take(std::string(preface) + headers(1, get)));
  EXPECT_THAT(connection.errors(), ElementsAre("GOAWAY 1"));
}

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
  EXPECT_TRUE(ends(connection, frame(FrameType::continuation, 0, 1, std::string(16'384, 'x')), 4));
}

// ── Streams and windows ───────────────────────────────────────────────────────────────────────────────────────────

TEST(Streams, BeyondTheLimitAreRefused) {
  Connection connection;
  connection.greet();
  connection.terms.streams_max = 1;
  connection.take(headers(1, get) + headers(3, get));
  EXPECT_THAT(connection.errors(), ElementsAre("RST 3 7"));
  connection.take(frame(FrameType::data, 1, 3, "x"));  // was on its way
  EXPECT_THAT(connection.errors(), IsEmpty());
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
