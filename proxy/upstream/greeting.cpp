#include "proxy/upstream/greeting.hpp"

#include <cstdlib>
#include <new>
#include <string_view>

namespace baton::upstream {

using runtime::Io;

namespace {

class NoStreams final : public http2::Streams {
 public:
  std::size_t count() const override { return 0; }
  state::Flow* find(std::uint32_t) override { return nullptr; }
  state::Flow& begin(std::uint32_t) override { std::abort(); }  // only clients begin any
  void note_touched(state::Flow&) override {}
  void each(void (*)(state::Flow&, void*), void*) override {}
};

// False: it cannot be used; `scratch.failure` says why.
bool take(tls::Stream& stream, state::UpstreamLeg& leg, std::int64_t now_ms, http2::Floods& floods,
          http2::Scratch& scratch) {
  while (stream.readable(leg)) {
    const Io io = stream.receive(leg, state::Buffer::block_bytes);
    if (io == Io::would_block) return true;
    if (io != Io::done || leg.read_ended) {
      scratch.failure = "it has closed the connection";
      return false;
    }
    constexpr std::string_view http1 = "HTTP/1.";
    if (!leg.frames->settings_came && leg.unread.view().starts_with(http1)) {
      scratch.failure = "it answers in HTTP/1.1 (`protocol: http1`)";
      return false;
    }
    NoStreams streams;
    if (!http2::open(*leg.frames, leg, streams, {}, now_ms, floods, scratch)) return false;
    if (leg.frames->goaway_came) {
      scratch.failure = "it takes no requests (GOAWAY)";
      return false;
    }
  }
  return true;
}

bool send(tls::Stream& stream, state::UpstreamLeg& leg, std::int64_t now_ms) {
  while (stream.has_to_send(leg) && stream.socket().writable()) {
    if (stream.send(leg, now_ms) == Io::failed) return false;
  }
  return true;
}

}  // namespace

Greeted greet(tls::Stream& stream, state::UpstreamLeg& leg, std::int64_t now_ms, http2::Scratch& scratch) {
  http2::Floods floods;
  scratch.failure = "it has reset the connection";
  if (!send(stream, leg, now_ms) || !take(stream, leg, now_ms, floods, scratch)) return Greeted::failed;
  if (!leg.frames->settings_came) return Greeted::waiting;
  return leg.frames->peer_streams_max == 0 ? Greeted::full : Greeted::done;
}

bool stays_idle(tls::Stream& stream, state::UpstreamLeg& leg, std::int64_t now_ms) noexcept {
  try {
    http2::Floods floods;
    http2::Scratch scratch;
    // A server that does not read its answers is not idle; one that allows no streams would be asked for one.
    return take(stream, leg, now_ms, floods, scratch) && leg.frames->peer_streams_max != 0 &&
           send(stream, leg, now_ms) && !stream.has_to_send(leg);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}  // namespace baton::upstream
