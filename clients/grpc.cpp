#include "clients/grpc.hpp"

#include <algorithm>

namespace baton::clients {

std::string grpc_message(std::string_view payload) {
  std::string message(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) message += static_cast<char>(payload.size() >> shift);
  return message.append(payload);
}

std::string GrpcEchoJudge::say() {
  const std::string payload = talk_.next();
  if (payload.empty()) return {};
  std::string message = grpc_message(payload);
  talk_.expect(message);
  return message;
}

std::string GrpcEchoJudge::head(const Http2Fields& fields) {
  const std::pair<std::string, std::string> wanted("content-type", grpc_content_type);
  return std::ranges::find(fields, wanted) != fields.end() ? "" : "a response that is not gRPC";
}

std::string GrpcEchoJudge::take(std::string_view bytes) {
  return talk_.take(bytes) ? "" : "an echo of something else";
}

std::string GrpcEchoJudge::trailers(const Http2Fields& fields) {
  for (const auto& [name, value] : fields) {
    if (name != grpc_status_field) continue;
    if (value != "0") return "gRPC status " + value;
    has_status_ = true;
  }
  return {};
}

std::string GrpcEchoJudge::end() {
  if (!talk_.all_returned()) return "the end before the whole echo";
  return has_status_ ? "" : "no gRPC status";
}

}  // namespace baton::clients
