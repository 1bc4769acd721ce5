// Both ends of a gRPC stream, and what its judge notices.
#include "clients/grpc.hpp"

#include <gtest/gtest.h>

#include "clients/http2_service.hpp"

namespace baton::clients {
namespace {

const Http2Fields head{{"content-type", "application/grpc"}};

TEST(Grpc, MessagesComeBackAndThenTheStatus) {
  Http2Session session;
  Http2Service service([](std::string_view) { return std::nullopt; });
  const auto echo = std::make_shared<GrpcEchoJudge>("/grpc/1");
  const std::int32_t stream = session.begin(
      {.target = "/grpc/1", .host = "a", .method = "POST", .has_body = true, .fields = grpc_request_fields}, echo);
  const auto exchange = [&] {
    for (std::string bytes; !(bytes = session.take_unsent()).empty();) {
      ASSERT_TRUE(service.receive(bytes));
      while (!(bytes = service.take_unsent()).empty()) EXPECT_EQ(session.receive(bytes), "");
    }
  };
  for (int i = 0; i < 120; ++i) {
    session.send(stream, echo->say());
    exchange();
    EXPECT_TRUE(echo->all_returned());
  }
  EXPECT_EQ(echo->collect(), 120u) << "two of them are larger than a window";
  EXPECT_FALSE(echo->has_ended());
  session.send(stream, {}, true);
  exchange();
  EXPECT_TRUE(echo->has_ended());
  EXPECT_EQ(session.open_streams(), 0u);
}

TEST(GrpcEchoJudge, NoticesAnotherOrder) {
  GrpcEchoJudge judge("/grpc/1");
  const std::string first = judge.say(), second = judge.say();
  EXPECT_EQ(judge.on_head(200, head), "");
  EXPECT_EQ(judge.on_body(second + first), "an echo of something else");
}

TEST(GrpcEchoJudge, NoticesAMessageThatIsMissing) {
  GrpcEchoJudge judge("/grpc/1");
  const std::string first = judge.say();
  judge.say();
  EXPECT_EQ(judge.on_head(200, head), "");
  EXPECT_EQ(judge.on_body(first), "");
  EXPECT_EQ(judge.on_trailers({{"grpc-status", "0"}}), "");
  EXPECT_EQ(judge.on_end(), "the end before the whole echo");
}

TEST(GrpcEchoJudge, NoticesAnEndWithoutStatusOrWithAnother) {
  GrpcEchoJudge without("/grpc/1");
  EXPECT_EQ(without.on_head(200, head), "");
  EXPECT_EQ(without.on_trailers({{"x-more", "0"}}), "");
  EXPECT_EQ(without.on_end(), "no gRPC status");
  GrpcEchoJudge failed("/grpc/1");
  EXPECT_EQ(failed.on_head(200, head), "");
  EXPECT_EQ(failed.on_trailers({{"grpc-status", "14"}}), "gRPC status 14");
}

TEST(GrpcEchoJudge, NoticesAResponseOfAnotherKind) {
  EXPECT_EQ(GrpcEchoJudge("/grpc/1").on_head(200, {{"content-type", "text/plain"}}), "a response that is not gRPC");
  EXPECT_EQ(GrpcEchoJudge("/grpc/1").on_head(502, head), "status 502");
}

}  // namespace
}  // namespace baton::clients
