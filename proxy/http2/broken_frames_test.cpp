// What clients must not send: each MUST of RFC 9113 §4 to §8 that they can break.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "proxy/http2/testing/conversation.hpp"
#include "proxy/http2/testing/frames.hpp"

namespace baton::http2 {
namespace {

using testing::ElementsAre;

struct Case {
  std::string name;
  std::vector<std::string> frames;  // after the preface and SETTINGS
  std::vector<std::string> errors;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

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

// And what has not been sent yet may still move.
TEST_P(Broken, LeavesAStateThatMoves) {
  Conversation conversation;
  ASSERT_TRUE(conversation.take(std::string(preface) + frame(FrameType::settings, 0, 0)));
  for (const std::string& one : GetParam().frames) {
    if (!conversation.take(one)) break;
  }
  conversation.move();
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

std::string malformed(const List& list) {
  return headers(1, list);
}
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
    {"DataAfterReset",
     {opened, frame(FrameType::rst_stream, 0, 1, number(8)), frame(FrameType::data, 1, 1, "x")},
     {"RST 1 5"}},
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
    {"PaddingOfHeaders",
     {frame(FrameType::headers, last | flag_padded, 1, "\x09" + block(get).substr(0, 3))},
     {"GOAWAY 1"}},
    {"DependsOnItself",
     {frame(FrameType::headers, last | flag_priority, 1, number(1) + "\x10" + block(get))},
     {"GOAWAY 1"}},
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
    {"MoreThanDeclared",
     {headers(1, with(post, "content-length", "1"), whole), frame(FrameType::data, 0, 1, "xx")},
     {"RST 1 1"}},
    {"LessThanDeclared",
     {headers(1, with(post, "content-length", "2"), whole), frame(FrameType::data, 1, 1, "x")},
     {"RST 1 1"}},
    {"TrailersBeforeTheDeclaredEnd",
     {headers(1, with(post, "content-length", "2"), whole), headers(1, {{"a", "b"}})},
     {"RST 1 1"}},
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
    {"ConnectWithAPath",
     {malformed(with(List{{":method", "CONNECT"}, {":authority", "a:1"}}, ":path", "/"))},
     is_malformed},
    {"ConnectWithoutAuthority", {malformed({{":method", "CONNECT"}})}, is_malformed},
    {"ProtocolWithoutConnect", {malformed(with(get, ":protocol", "websocket"))}, is_malformed},
};
INSTANTIATE_TEST_SUITE_P(Frames, Broken, testing::ValuesIn(cases), [](const auto& one) { return one.param.name; });

// The encoder writes names in lower case, so this block is written by hand.
TEST(Frames, UpperCaseIsMalformed) {
  Connection connection;
  connection.greet();
  connection.take(frame(FrameType::headers, last, 1,
                        block(get) + std::string("\x00\x01"
                                                 "A\x01"
                                                 "b",
                                                 5)));
  EXPECT_EQ(connection.scratch.refusal, "its head is malformed");
  EXPECT_THAT(connection.errors(), ElementsAre("RST 1 1"));
}

// RFC 9113 §8.2.1.
TEST(Frames, ForbiddenBytesOfValuesAreMalformedEverywhere) {
  for (const std::size_t size : {1U, 7U, 8U, 9U, 17U}) {
    for (std::size_t at = 0; at < size; ++at) {
      for (const int byte : {0x00, 0x01, 0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x20, 0x78, 0x7f, 0x80, 0x8a, 0x8d, 0xff}) {
        std::string value(size, '\x0c');
        value[at] = static_cast<char>(byte);
        const bool is_at_an_end = at == 0 || at == size - 1;
        const bool is_blank = byte == ' ' || byte == '\t';
        const bool is_forbidden = byte == 0 || byte == '\r' || byte == '\n' || (is_blank && is_at_an_end);
        Connection connection;
        connection.greet();
        connection.answers();
        EXPECT_TRUE(connection.take(headers(1, with(get, "a", value))));
        EXPECT_EQ(connection.errors().size(), is_forbidden ? 1U : 0U) << size << ' ' << at << ' ' << byte;
      }
    }
  }
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

}  // namespace
}  // namespace baton::http2
