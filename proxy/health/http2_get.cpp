#include "proxy/health/http2_get.hpp"

#include <utility>

#include "proxy/http2/hpack_encoder.hpp"

namespace baton::health {

Http2Get::Http2Get(const Request& request, state::UpstreamLeg& leg) : call_(leg) {
  state::Buffer block;
  http2::append_pseudo(block, http2::PseudoField::method, "GET");
  http2::append_pseudo(block, http2::PseudoField::scheme, request.is_over_tls ? "https" : "http");
  http2::append_pseudo(block, http2::PseudoField::authority, request.authority);
  http2::append_pseudo(block, http2::PseudoField::path, request.path);
  http2::append_field(block, "user-agent", "baton-health");
  call_.send(block.view());
}

std::optional<Http2Get::Answer> Http2Get::read(std::int64_t now_ms) {
  std::string failure = call_.read(now_ms);
  http1::ResponseHead head;
  switch (call_.take_head(head)) {
    case Http2Call::Head::whole:
      return Answer{.status = head.status};
    case Http2Call::Head::malformed:
      return Answer{.why = "its answer is malformed"};
    case Http2Call::Head::incomplete:
      break;
  }
  if (failure.empty()) return std::nullopt;
  return Answer{.why = std::move(failure)};
}

}  // namespace baton::health
