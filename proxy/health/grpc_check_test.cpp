// What a gRPC check says, and what it makes of answers that are good, bad, odd or hostile, in pieces of any size.
#include "proxy/health/grpc_check.hpp"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

#include "proxy/http2/hpack_encoder.hpp"
#include "proxy/state/hpack_table.hpp"

namespace baton::health {
namespace {

using testing::ElementsAre;
using testing::Pair;
using Verdict = std::optional<std::string>;

constexpr int data = 0, headers = 1, priority = 2, rst_stream = 3, settings = 4, push_promise = 5, ping = 6, goaway = 7,
              continuation = 9;
constexpr int end_stream = 1, ack = 1, end_headers = 4, padded = 8, with_priority = 0x20;

std::string number(std::size_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}
std::string frame(int type, int flags, std::uint32_t stream, const std::string& content = {}) {
  return number(content.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) + content;
}
std::string block(const std::vector<std::pair<std::string, std::string>>& fields) {
  state::Buffer out;
  for (const auto& [name, value] : fields) http2::append_field(out, name, value);
  return std::string(out.view());
}
std::string head(const std::string& status = "200") {
  return block({{":status", status}, {"content-type", "application/grpc+proto"}});
}
std::string message(const std::string& content) {
  return '\0' + number(content.size(), 4) + content;
}

const std::string preface = frame(settings, 0, 0);
const std::string serving = message("\x08\x01");
const std::string trailers = block({{"grpc-status", "0"}, {"grpc-message", ""}});

std::string answer(const std::string& body, const std::string& end = trailers) {
  return preface + frame(headers, end_headers, 1, head()) + frame(data, 0, 1, body) +
         frame(headers, end_headers | end_stream, 1, end);
}
std::string trailers_only(const std::string& status) {
  return preface + frame(headers, end_headers | end_stream, 1,
                         block({{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", status}}));
}

struct Heard {
  Verdict verdict;
  std::string said;
};
Heard hear(const std::string& bytes, std::size_t piece) {
  state::UpstreamLeg leg;
  GrpcCheck check({.authority = "a"}, leg);
  leg.unsent.clear();
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    leg.unread.append(std::string_view(bytes).substr(at, piece));
    if (auto verdict = check.read(1'000)) return {std::move(verdict), std::string(leg.unsent.view())};
  }
  return {std::nullopt, std::string(leg.unsent.view())};
}

// The same in pieces of any size.
Verdict verdict_on(const std::string& bytes) {
  const Heard whole = hear(bytes, bytes.size());
  for (const std::size_t piece : {1, 2, 7, 20}) {
    const Heard heard = hear(bytes, piece);
    EXPECT_EQ(heard.verdict, whole.verdict) << "in pieces of " << piece;
    EXPECT_EQ(heard.said, whole.said) << "in pieces of " << piece;
  }
  return whole.verdict;
}

TEST(GrpcCheck, CallsTheHealthService) {
  state::UpstreamLeg leg;
  GrpcCheck({.authority = "app.test:50051", .service = "shop.Orders", .timeout = std::chrono::seconds(2)}, leg);
  std::string_view said = leg.unsent.view();
  ASSERT_TRUE(said.starts_with(http2::preface));
  said.remove_prefix(http2::preface.size());
  const auto type = [&] { return http2::read_frame_head(said.data()).type; };
  ASSERT_EQ(type(), http2::FrameType::settings);
  while (type() != http2::FrameType::headers)
    said.remove_prefix(http2::frame_head_bytes + http2::read_frame_head(said.data()).bytes);

  const std::size_t block_bytes = static_cast<unsigned char>(said[2]);
  EXPECT_EQ(said.substr(0, 9), frame(headers, end_headers, 1, std::string(block_bytes, ' ')).substr(0, 9));
  state::HpackTable table;
  http2::HeaderList list;
  ASSERT_EQ(decode_block(said.substr(9, block_bytes), table, 4096, list), http2::BlockError::none);
  std::vector<std::pair<std::string, std::string>> fields;
  for (const http2::HeaderField& field : list.fields()) fields.emplace_back(field.name, field.value);
  EXPECT_THAT(fields, ElementsAre(Pair(":method", "POST"), Pair(":scheme", "http"),
                                  Pair(":path", "/grpc.health.v1.Health/Check"), Pair(":authority", "app.test:50051"),
                                  Pair("te", "trailers"), Pair("content-type", "application/grpc"),
                                  Pair("user-agent", "baton-health"), Pair("grpc-timeout", "2000m")));
  EXPECT_EQ(said.substr(9 + block_bytes), frame(data, end_stream, 1, message("\x0a\x0bshop.Orders")));
}

TEST(GrpcCheck, TheServerAsAWholeIsAnEmptyMessageAndALongNameHasALongLength) {
  state::UpstreamLeg leg;
  GrpcCheck({.authority = "a", .is_over_tls = true}, leg);
  EXPECT_TRUE(leg.unsent.view().ends_with(frame(data, end_stream, 1, message(""))));
  const std::string name(300, 'n');
  GrpcCheck({.authority = "a", .service = name}, leg);
  EXPECT_TRUE(leg.unsent.view().ends_with(frame(data, end_stream, 1, message("\x0a\xac\x02" + name))));
}

TEST(GrpcCheck, AServingServerIsWell) {
  EXPECT_EQ(verdict_on(answer(serving)), "");
  EXPECT_EQ(verdict_on(answer(message("\x08\x02\x08\x01"))), "") << "the last one counts";
  EXPECT_EQ(verdict_on(answer(message("\x12\x03\x61\x62\x63\x08\x01\x1d\x31\x32\x33\x34\x21\x31\x32\x33\x34\x35\x36"
                                      "\x37\x38\x28\x80\x01"))),
            "")
      << "fields of a later version are passed over";
}

TEST(GrpcCheck, AnotherStatusIsNamed) {
  EXPECT_EQ(verdict_on(answer(message("\x08\x02"))), "it is NOT_SERVING");
  EXPECT_EQ(verdict_on(answer(message("\x08\x03"))), "it is SERVICE_UNKNOWN");
  EXPECT_EQ(verdict_on(answer(message(""))), "it is UNKNOWN");
  EXPECT_EQ(verdict_on(answer(message("\x08\x63"))), "it is UNKNOWN");
  EXPECT_EQ(verdict_on(answer(serving, block({{"grpc-status", "14"}}))), "gRPC status 14 (UNAVAILABLE)");
  EXPECT_EQ(verdict_on(answer(serving, block({{"grpc-status", "99"}}))), "gRPC status 99 (?)");
  EXPECT_EQ(verdict_on(trailers_only("12")), "gRPC status 12 (UNIMPLEMENTED): it has no grpc.health.v1.Health");
  EXPECT_EQ(verdict_on(trailers_only("5")), "gRPC status 5 (NOT_FOUND): it does not know this service");
  EXPECT_EQ(verdict_on(trailers_only("0")), "its answer is malformed") << "OK, but no message";
  EXPECT_EQ(verdict_on(trailers_only("zero")), "its answer has no gRPC status");
}

TEST(GrpcCheck, OtherHttpIsNoAnswer) {
  EXPECT_EQ(verdict_on("HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak HTTP/2");
  EXPECT_EQ(verdict_on(frame(ping, 0, 0, "12345678")), "it does not speak HTTP/2") << "SETTINGS comes first";
  EXPECT_EQ(verdict_on(frame(settings, ack, 0)), "it does not speak HTTP/2");
  EXPECT_EQ(verdict_on(preface + frame(headers, end_headers, 1, head("503"))), "status 503");
  EXPECT_EQ(
      verdict_on(preface + frame(headers, end_headers, 1, block({{":status", "200"}, {"content-type", "text/html"}}))),
      "its answer is not gRPC");
}

TEST(GrpcCheck, FramesMayBeSplitPaddedAndBetweenOthers) {
  const std::string whole = head();
  const std::string dependence(5, '\0');
  EXPECT_EQ(
      verdict_on(preface + frame(settings, ack, 0) + frame(priority, 0, 1, dependence) + frame(99, 0, 7, "?") +
                 frame(headers, end_headers, 1, block({{":status", "103"}, {"link", "x"}})) +
                 frame(headers, padded | with_priority, 1, '\x03' + dependence + whole.substr(0, 4) + "pad") +
                 frame(continuation, 0, 1, whole.substr(4, 3)) + frame(continuation, end_headers, 1, whole.substr(7)) +
                 frame(data, 0, 1, serving.substr(0, 3)) + frame(goaway, 0, 0, number(1, 4) + number(0, 4)) +
                 frame(data, padded, 1, '\x02' + serving.substr(3) + "pa") +
                 frame(headers, end_headers | end_stream, 1, trailers)),
      "");
}

TEST(GrpcCheck, SettingsAndPingsAreAnswered) {
  const std::string asked = preface + frame(settings, ack, 0) + frame(ping, 0, 0, "12345678") +
                            frame(ping, ack, 0, "87654321") + frame(settings, 0, 0, number(4, 2) + number(0, 4));
  EXPECT_EQ(verdict_on(asked), std::nullopt);
  EXPECT_EQ(hear(asked, asked.size()).said,
            frame(settings, ack, 0) + frame(ping, ack, 0, "12345678") + frame(settings, ack, 0));
}

TEST(GrpcCheck, ARefusalIsNamed) {
  EXPECT_EQ(verdict_on(preface + frame(rst_stream, 0, 1, number(7, 4))), "it reset the stream (error 7)");
  EXPECT_EQ(verdict_on(preface + frame(goaway, 0, 0, number(0, 4) + number(0, 4))), "it ended the connection (GOAWAY)");
  EXPECT_EQ(verdict_on(preface + frame(goaway, 0, 0, number(1, 4) + number(11, 4))), std::nullopt)
      << "it still answers this call";
  EXPECT_EQ(verdict_on(frame(settings, 0, 0, number(3, 2) + number(0, 4)) + answer(serving).substr(9)),
            "it allows no streams (SETTINGS_MAX_CONCURRENT_STREAMS)");
}

TEST(GrpcCheck, MalformedAnswersAreFailures) {
  const std::string begun = preface + frame(headers, end_headers, 1, head());
  for (const std::string& bytes : {
           preface + frame(data, end_stream, 1, serving),
           preface + frame(headers, end_headers | end_stream, 1, head("100")),
           preface + frame(headers, end_headers, 1, block({{"content-type", "application/grpc"}})),
           begun + frame(headers, end_headers, 1, trailers),
           answer(std::string(4, '\0')),
           answer(serving + "x"),
           answer(serving + serving),
           answer(serving + "\x08\x01"),
           answer(std::string("\0\0\0\0\3\x08\x01", 7)),
           answer(message("\x08")),
           answer(message("\x12\x05"
                          "abc")),
           answer(message("\x0b")),
           answer(message("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
       }) {
    EXPECT_EQ(verdict_on(bytes), "its answer is malformed") << testing::PrintToString(bytes);
  }
  EXPECT_EQ(verdict_on(answer('\1' + serving.substr(1))), "its answer is compressed");
  EXPECT_EQ(verdict_on(begun + frame(data, end_stream, 1, serving)), "its answer has no gRPC status");
}

TEST(GrpcCheck, ABrokenConnectionIsAFailure) {
  for (const std::string& bytes : {
           preface + frame(headers, end_headers, 3, head()),
           preface + frame(headers, end_headers, 1, "\xff\xff\xff\xff\xff\x0f"),
           preface + frame(headers, end_headers | padded, 1, ""),
           preface + frame(headers, end_headers | padded, 1, "\x05pad"),
           preface + frame(headers, end_headers | with_priority, 1, "1234"),
           preface + frame(headers, 0, 1, head()) + frame(data, 0, 1, serving),
           preface + frame(headers, 0, 1, head()) + frame(continuation, end_headers, 3, ""),
           preface + frame(continuation, end_headers, 1, head()),
           preface + frame(push_promise, end_headers, 1, number(2, 4)),
           preface + frame(ping, 0, 0, "1234567"),
           preface + frame(rst_stream, 0, 1, "123"),
           preface + frame(goaway, 0, 0, "1234567"),
           preface + number(16385, 3) + std::string(6, '\0'),
       }) {
    EXPECT_THAT(verdict_on(bytes).value_or(""), testing::StartsWith("HTTP/2: ")) << testing::PrintToString(bytes);
  }
}

TEST(GrpcCheck, AnswersAreBounded) {
  EXPECT_EQ(verdict_on(preface + frame(headers, end_headers, 1, head()) + frame(data, 0, 1, std::string(1025, 'x'))),
            "its answer is too large");
  EXPECT_EQ(verdict_on(preface + frame(headers, end_headers, 1, std::string(1000, '\x88'))), "its answer is malformed");
  std::string bytes = preface + frame(headers, 0, 1, head());
  for (int i = 0; i < 200; ++i) bytes += frame(continuation, 0, 1, std::string(1000, '\x88'));
  EXPECT_EQ(hear(bytes, 1'000).verdict, "HTTP/2: a header block is too long");
  bytes = preface;
  for (int i = 0; i < 11'000; ++i) bytes += frame(ping, 0, 0, "12345678");
  EXPECT_EQ(hear(bytes, 1'000).verdict, "HTTP/2: too many useless frames");
}

TEST(GrpcCheck, AnAnswerThatIsCutShortIsNone) {
  const std::string whole = answer(serving);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(hear(whole.substr(0, size), size).verdict, std::nullopt) << size;
  }
}

}  // namespace
}  // namespace baton::health
