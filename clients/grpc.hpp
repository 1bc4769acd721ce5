// A gRPC stream of messages, both ways, over HTTP/2.
#pragma once

#include "clients/echo_talk.hpp"
#include "clients/http2_judges.hpp"

namespace baton::clients {

// The fields of a request, and those that its response must have.
inline const Http2Fields grpc_request_fields{{"content-type", "application/grpc"}, {"te", "trailers"}};
inline constexpr std::string_view grpc_content_type = "application/grpc";
inline constexpr std::string_view grpc_status_field = "grpc-status";

// With its length before it, not compressed.
std::string grpc_message(std::string_view payload);

// The messages that were said, in their order; then `grpc-status: 0` in the trailers.
class GrpcEchoJudge final : public Http2ResponseJudge {
 public:
  explicit GrpcEchoJudge(const std::string& target) : Http2ResponseJudge(target), talk_(target) {}

  // The next message as it is sent; empty if too much is outstanding.
  std::string say();
  bool all_returned() const { return talk_.all_returned(); }
  std::uint64_t collect() { return talk_.collect(); }

 private:
  std::string head(const Http2Fields& fields) override;
  std::string take(std::string_view bytes) override;
  std::string trailers(const Http2Fields& fields) override;
  std::string end() override;

  EchoTalk talk_;
  bool has_status_ = false;
};

}  // namespace baton::clients
