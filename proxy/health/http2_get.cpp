#include "proxy/health/http2_get.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "proxy/http1/head.hpp"
#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/hpack_encoder.hpp"

namespace baton::health {

Http2Get::Http2Get(const Request& request, state::UpstreamLeg& leg) : leg_(leg) {
  state::Frames& frames = leg.frames.emplace();
  http2::begin_as_client(frames, leg, {});
  http2::begin_stream(frames, stream_);
  state::Buffer block;
  http2::append_pseudo(block, http2::PseudoField::method, "GET");
  http2::append_pseudo(block, http2::PseudoField::scheme, request.is_over_tls ? "https" : "http");
  http2::append_pseudo(block, http2::PseudoField::authority, request.authority);
  http2::append_pseudo(block, http2::PseudoField::path, request.path);
  http2::append_field(block, "user-agent", "baton-health");
  state::Buffer& heads = stream_.stream->heads;
  http2::append_number(heads, http2::number_of({static_cast<std::uint32_t>(block.size()), true}));
  heads.append(block.view());
  stream_.write_ended = stream_.stream->end_sent = true;
  http2::seal(frames, leg, stream_, {});
}

// Servers begin no streams.
state::Flow& Http2Get::begin(std::uint32_t) {
  std::abort();
}

std::optional<Http2Get::Answer> Http2Get::read(std::int64_t now_ms) {
  if (!http2::open(*leg_.frames, leg_, *this, {}, now_ms, floods_, scratch_)) {
    return Answer{.why = fmt::format("HTTP/2: {}", scratch_.failure)};
  }
  std::uint32_t scanned = 0;
  for (;;) {
    const http1::HeadEnd end = http1::find_head_end(stream_.unread.view(), scanned);
    if (end.found == http1::HeadEnd::Found::malformed) return Answer{.why = "its answer is malformed"};
    if (end.found == http1::HeadEnd::Found::no) break;
    http1::ResponseHead head;
    if (const auto error = http1::parse_response_head(stream_.unread.view().substr(0, end.bytes), {}, head)) {
      return Answer{.why = fmt::format("its answer is malformed: {}", error.text)};
    }
    if (head.status >= 200) return Answer{.status = head.status};
    stream_.unread.consume(end.bytes);
    scanned = 0;
  }
  if (stream_.was_reset)
    return Answer{.why = fmt::format("it reset the stream (error {})", stream_.stream->reset_code)};
  return std::nullopt;
}

}  // namespace baton::health
