// The parts of `open` (frames.hpp), for its own files only: frames in opening.cpp, heads in opening_heads.cpp.
#pragma once

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/frames.hpp"

namespace baton::http2 {

class Opener {
 public:
  Opener(state::Frames& frames, state::Flow& leg, Streams& streams, const Terms& terms, std::int64_t now_ms,
         Floods& floods, Scratch& scratch)
      : frames_(frames),
        leg_(leg),
        streams_(streams),
        terms_(terms),
        now_ms_(now_ms),
        floods_(floods),
        scratch_(scratch) {}

  bool run();

 private:
  // ── What is wrong ───────────────────────────────────────────────────────────────────────────────────────────────
  void fail(Error error, std::string_view why);
  // `error` has come, or goes out.
  void end_by_reset(state::Flow& flow, Error error);
  void refuse_stream(std::uint32_t id, Error error, std::string_view why);
  void note_useless(std::uint32_t weight = 1);

  // nullptr: there is none, or it has been reset and is about to be dropped.
  state::Flow* find(std::uint32_t id) const {
    state::Flow* const flow = streams_.find(id);
    return flow != nullptr && !flow->was_reset ? flow : nullptr;
  }
  bool is_idle(std::uint32_t id) const {
    return id > frames_.last_stream && (frames_.is_client || !frames_.goaway_sent);
  }
  // A client's streams have odd ids; a server begins none, since we do not enable its pushes.
  static bool is_clients(std::uint32_t id) { return id % 2 == 1; }

  // ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────
  bool take_preface();
  void take(const FrameHead& head, std::string_view payload);
  void take_data(const FrameHead& head, std::string_view payload);
  // So much content is about to be taken of a stream.
  void watch_edge(state::Flow& flow, std::uint32_t bytes);
  std::uint32_t window_max_of(const state::Stream& stream) const;
  // END_STREAM has come.
  void end(std::uint32_t id, state::Flow& flow);
  void take_priority(const FrameHead& head, std::string_view payload);
  void take_reset(const FrameHead& head, std::string_view payload);
  void take_settings(const FrameHead& head, std::string_view payload);
  void apply(Setting id, std::uint32_t value);
  void set_stream_window(std::uint32_t value);
  void take_ping(const FrameHead& head, std::string_view payload);
  void take_goaway(const FrameHead& head, std::string_view payload);
  void take_window_update(const FrameHead& head, std::string_view payload);

  // ── Heads ───────────────────────────────────────────────────────────────────────────────────────────────────────
  void take_headers(const FrameHead& head, std::string_view payload);
  void take_continuation(const FrameHead& head, std::string_view payload);
  void take_block(std::uint32_t id, bool ends, std::string_view block);
  // For one more stream. Those that have been reset are closed (§5.1), even if they have not been dropped yet.
  bool has_room() const;
  void begin_stream(std::uint32_t id, bool ends, BlockError error);
  void take_response(std::uint32_t id, state::Flow& flow, bool ends, BlockError error);
  void take_trailers(std::uint32_t id, state::Flow& flow, bool ends, BlockError error);

  state::Frames& frames_;
  state::Flow& leg_;
  Streams& streams_;
  const Terms& terms_;
  const std::int64_t now_ms_;
  Floods& floods_;
  Scratch& scratch_;
};

}  // namespace baton::http2
