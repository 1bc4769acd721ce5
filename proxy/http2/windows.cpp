// The peer's windows: when it may send more, and how the window of a stream grows.
//
// A stream's window begins as announced. On a path whose round trip takes longer than the peer needs to fill the
// window, the peer uses up what it knows of, and waits for news. Here this looks so: content comes exactly up to the
// edge that was allowed before our last WINDOW_UPDATE, then nothing for most of the time since that frame, and then
// more. Such a stream gets twice the window, if what has come can be passed on at once. No clock but that of the
// content is needed: neither PINGs, which some peers count, nor what the kernel knows of the socket, whose other end
// may be a proxy.
#include <algorithm>
#include <utility>

#include "proxy/http2/opener.hpp"

namespace baton::http2 {

using state::Flow;
using state::Frames;
using state::Stream;

namespace {

// Some senders stop a little before the edge.
constexpr std::uint32_t edge_bytes = 1'024;
// Of shorter round trips, the first window allows many a second. What takes longer waits for something else.
constexpr std::int64_t round_ms_min = 4;
constexpr std::int64_t round_ms_max = 2'000;

std::int64_t window_of(const Frames& frames, const Stream& stream) {
  return std::max(frames.stream_window, stream.window);
}

// By how much it is larger than announced, or is about to be.
std::int64_t growth_of(const Frames& frames, const Stream& stream) {
  return std::max({frames.stream_window, stream.window, stream.wanted}) - frames.stream_window;
}

}  // namespace

// All streams together grow by at most half of the connection's window. So those that are then not read leave the other
// half to the others.
std::uint32_t Opener::window_max_of(const Stream& stream) const {
  struct Others {
    const Frames& frames;
    std::int64_t growth;
  } others{frames_, -growth_of(frames_, stream)};
  streams_.each(
      [](Flow& flow, void* with) {
        auto& to = *static_cast<Others*>(with);
        const bool is_open = !flow.read_ended && !flow.was_reset;
        if (is_open) to.growth += growth_of(to.frames, *flow.stream);
      },
      &others);
  const std::int64_t most = std::int64_t{terms_.connection_window} / 2 - others.growth;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(most, 0, window_of(frames_, stream) * 2));
}

void Opener::watch_edge(Flow& flow, std::uint32_t bytes) {
  Stream& stream = *flow.stream;
  if (bytes <= stream.until_edge) {
    stream.until_edge -= bytes;
    return;
  }
  const bool was_at_edge = std::exchange(stream.until_edge, 0) <= edge_bytes;
  const std::int64_t round_ms = now_ms_ - std::exchange(stream.edge_ms, 0);
  const std::int64_t stopped_ms = now_ms_ - flow.read_at_ms;
  const bool is_round_trip = round_ms >= round_ms_min && round_ms <= round_ms_max;
  if (was_at_edge && is_round_trip && 4 * stopped_ms >= round_ms) stream.wanted = window_max_of(stream);
}

void return_credit(Frames& frames, Flow& leg, Flow& flow, std::size_t kept) {
  if (flow.read_ended) return;
  Stream& stream = *flow.stream;
  const auto waiting = static_cast<std::int64_t>(flow.unread.size() - kept);
  std::int64_t window = window_of(frames, stream);
  const std::uint32_t wanted = std::exchange(stream.wanted, 0);
  if (wanted > window && waiting <= window / 8) window = stream.window = wanted;
  const std::int64_t due = window - waiting - stream.receive_window;
  if (due < window / 2) return;
  if (stream.edge_ms == 0 && stream.receive_window >= window / 4) {
    stream.until_edge = static_cast<std::uint32_t>(stream.receive_window);
    stream.edge_ms = flow.read_at_ms;  // when it became due
  }
  append_window_update(leg.unsent, stream.id, due);
  stream.receive_window += due;
}

void return_credit(Frames& frames, Flow& leg, std::uint64_t held, const Terms& terms) {
  // Half of what is not held, so that streams that are not read never cost the others all of the rest.
  const std::int64_t room = std::int64_t{terms.connection_window} - static_cast<std::int64_t>(held);
  const std::int64_t due = room - frames.receive_window;
  if (due < std::max<std::int64_t>(room / 2, frame_bytes_max)) return;
  append_window_update(leg.unsent, 0, due);
  frames.receive_window += due;
}

}  // namespace baton::http2
