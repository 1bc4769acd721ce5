#include "proxy/health/http2_call.hpp"

#include <fmt/format.h>

#include <cstdlib>

namespace baton::health {

Http2Call::Http2Call(state::UpstreamLeg& leg) : leg_(leg) {
  state::Frames& frames = leg.frames.emplace();
  http2::begin_as_client(frames, leg, {});
  http2::begin_stream(frames, stream_);
}

void Http2Call::send(std::string_view block, std::string_view content) {
  state::Stream& stream = *stream_.stream;
  http2::append_number(stream.heads, http2::number_of({static_cast<std::uint32_t>(block.size()), content.empty()}));
  stream.heads.append(block);
  stream_.unsent.append(content);
  stream_.write_ended = true;
  stream.end_sent = content.empty();
  http2::seal(*leg_.frames, leg_, stream_, {});
}

// Servers begin no streams.
state::Flow& Http2Call::begin(std::uint32_t) {
  std::abort();
}

std::string Http2Call::read(std::int64_t now_ms) {
  const state::Frames& frames = *leg_.frames;
  if (!http2::open(*leg_.frames, leg_, *this, {}, now_ms, floods_, scratch_)) {
    if (!frames.settings_came) return "it does not speak HTTP/2";
    return fmt::format("HTTP/2: {}", scratch_.failure);
  }
  if (frames.settings_came && frames.peer_streams_max == 0) {
    stream_.unread.clear();  // it takes no requests, even if it answers this one
    return "it allows no streams (SETTINGS_MAX_CONCURRENT_STREAMS)";
  }
  if (!stream_.was_reset) return {};
  if (http2::how_ended(frames, stream_.stream->id) == http2::Ended::by_our_reset) return "its answer is malformed";
  if (frames.goaway_came) return "it ended the connection (GOAWAY)";
  return fmt::format("it reset the stream (error {})", stream_.stream->reset_code);
}

Http2Call::Head Http2Call::take_head(http1::ResponseHead& head) {
  for (;;) {
    std::uint32_t scanned = 0;
    const http1::HeadEnd end = http1::find_head_end(stream_.unread.view(), scanned);
    if (end.found == http1::HeadEnd::Found::no) return Head::incomplete;
    if (end.found == http1::HeadEnd::Found::malformed) return Head::malformed;
    head_ = stream_.unread.view().substr(0, end.bytes);
    stream_.unread.consume(end.bytes);
    if (http1::parse_response_head(head_, {}, head)) return Head::malformed;
    if (head.status >= 200) return Head::whole;
  }
}

}  // namespace baton::health
