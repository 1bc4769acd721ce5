// One request over a new HTTP/2 connection, as a client: without I/O, which the prober does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/http1/head.hpp"
#include "proxy/http2/frames.hpp"

namespace baton::health {

class Http2Call final : private http2::Streams {
 public:
  // `leg` outlives this. Writes what a client begins with.
  explicit Http2Call(state::UpstreamLeg& leg);

  // Writes the request: its header block and content, and its end.
  void send(std::string_view block, std::string_view content = {});

  // Takes what has come on the leg, and writes what must be answered. Returns why there will be no answer, or no more
  // of it; empty: it is whole, or more must come.
  std::string read(std::int64_t now_ms);

  enum class Head { incomplete, malformed, whole };
  // The final one, once; interim ones before it are passed over. It views what has come.
  Head take_head(http1::ResponseHead& head);
  // What came behind it so far.
  std::string_view content() const { return stream_.unread.view(); }
  // As text.
  std::string_view trailers() const {
    return stream_.stream->trailers_in ? stream_.stream->trailers_in->view() : std::string_view();
  }
  bool is_whole() const { return stream_.read_ended && !stream_.was_reset; }

 private:
  std::size_t count() const override { return 1; }
  state::Flow* find(std::uint32_t id) override { return stream_.stream->id == id ? &stream_ : nullptr; }
  state::Flow& begin(std::uint32_t id) override;
  void note_touched(state::Flow&) override {}
  void each(void (*visit)(state::Flow& flow, void* with), void* with) override { visit(stream_, with); }

  state::UpstreamLeg& leg_;
  state::Flow stream_;
  std::string head_;  // the final one's bytes
  http2::Floods floods_;
  http2::Scratch scratch_;
};

}  // namespace baton::health
