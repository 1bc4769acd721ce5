// What comes: frames are taken apart into streams.
#include "proxy/http2/frames.hpp"

#include <algorithm>
#include <utility>

#include "proxy/http2/frame_format.hpp"
#include "proxy/http2/head_text.hpp"

namespace baton::http2 {

using state::Flow;
using state::Frames;
using state::Stream;

namespace {

constexpr std::int64_t window_max = 0x7fff'ffff;  // RFC 9113 §6.9.1
constexpr std::uint32_t block_frames_max = 64;    // of one header block

// False: it would be too large (RFC 9113 §6.9.1). It stays within its bounds, since it may still move.
bool grow(std::int64_t& window, std::int64_t by) {
  window += by;
  if (window <= window_max) return true;
  window = window_max;
  return false;
}

class Opener {
 public:
  Opener(Frames& frames, Flow& leg, Streams& streams, const Terms& terms, std::int64_t now_ms, Floods& floods,
         Scratch& scratch)
      : frames_(frames),
        leg_(leg),
        streams_(streams),
        terms_(terms),
        now_ms_(now_ms),
        floods_(floods),
        scratch_(scratch) {}

  bool run() {
    if (!frames_.preface_came && !take_preface()) return !frames_.has_failed;
    while (!frames_.has_failed && leg_.unread.size() >= frame_head_bytes) {
      const FrameHead head = read_frame_head(leg_.unread.data());
      if (head.bytes > frame_bytes_max) {
        fail(Error::frame_size_error, "a frame is longer than 16,384 bytes");
        break;
      }
      if (leg_.unread.size() < frame_head_bytes + head.bytes) break;
      take(head, leg_.unread.view().substr(frame_head_bytes, head.bytes));
      leg_.unread.consume(frame_head_bytes + head.bytes);
    }
    if (frames_.has_failed) leg_.unread.clear();
    return !frames_.has_failed;
  }

 private:
  // ── What is wrong ───────────────────────────────────────────────────────────────────────────────────────────────

  void fail(Error error, std::string_view why) {
    if (frames_.has_failed) return;
    go_away(frames_, leg_, error);
    frames_.has_failed = true;
    scratch_.failure = why;
  }

  // nullptr: there is none, or it has been reset and is about to be dropped.
  Flow* find(std::uint32_t id) const {
    Flow* const flow = streams_.find(id);
    return flow != nullptr && !flow->was_reset ? flow : nullptr;
  }

  void end_by_reset(std::uint32_t id, Flow& flow) {
    flow.was_reset = flow.read_ended = true;
    flow.drop_unsent();
    streams_.note_touched(id);
  }

  void refuse_stream(std::uint32_t id, Error error) {
    append_reset(leg_.unsent, id, error);
    Flow* const flow = find(id);
    note_useless(flow != nullptr ? weight_of_a_request : 1);
    if (flow != nullptr) end_by_reset(id, *flow);
    note_ended(frames_, id, Ended::by_our_reset);
  }

  void note_useless(std::uint32_t weight = 1) {
    if (!floods_.note(now_ms_, weight)) fail(Error::enhance_your_calm, "too many useless frames");
  }

  bool is_idle(std::uint32_t id) const { return id > frames_.last_stream && !frames_.goaway_sent; }
  // A client's streams have odd ids.
  static bool is_clients(std::uint32_t id) { return id % 2 == 1; }

  // ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────

  bool take_preface() {
    const std::string_view came = leg_.unread.view().substr(0, preface.size());
    if (!preface.starts_with(came)) {
      fail(Error::protocol_error, "it does not begin with HTTP/2's preface");
      leg_.unread.clear();
      return false;
    }
    if (came.size() < preface.size()) return false;
    leg_.unread.consume(preface.size());
    frames_.preface_came = true;
    return true;
  }

  void take(const FrameHead& head, std::string_view payload) {
    if (!frames_.settings_came && (head.type != FrameType::settings || head.has(flag_ack))) {
      return fail(Error::protocol_error, "the first frame is not SETTINGS");
    }
    const bool goes_on = head.type == FrameType::continuation && head.stream == frames_.block_stream;
    if (frames_.block_stream != 0 && !goes_on) return fail(Error::protocol_error, "a header block is interrupted");
    switch (head.type) {
      case FrameType::data:
        return take_data(head, payload);
      case FrameType::headers:
        return take_headers(head, payload);
      case FrameType::priority:
        return take_priority(head, payload);
      case FrameType::rst_stream:
        return take_reset(head, payload);
      case FrameType::settings:
        return take_settings(head, payload);
      case FrameType::push_promise:
        return fail(Error::protocol_error, "PUSH_PROMISE from a client");
      case FrameType::ping:
        return take_ping(head, payload);
      case FrameType::goaway:
        return take_goaway(head, payload);
      case FrameType::window_update:
        return take_window_update(head, payload);
      case FrameType::continuation:
        return take_continuation(head, payload);
    }
    note_useless();  // of an extension (RFC 9113 §5.5)
  }

  void take_data(const FrameHead& head, std::string_view payload) {
    if (!is_clients(head.stream)) return fail(Error::protocol_error, "DATA on a stream that no client opens");
    if (!strip_padding(head, payload)) return fail(Error::protocol_error, "padding is longer than its frame");
    if (head.bytes > frames_.receive_window)
      return fail(Error::flow_control_error, "the connection's window is exceeded");
    frames_.receive_window -= head.bytes;
    Flow* const flow = find(head.stream);
    if (flow == nullptr) {
      if (is_idle(head.stream)) return fail(Error::protocol_error, "DATA on an idle stream");
      if (head.stream > frames_.last_stream || how_ended(frames_, head.stream) == Ended::by_our_reset) return;
      return refuse_stream(head.stream, Error::stream_closed);
    }
    Stream& stream = *flow->stream;
    if (flow->read_ended) return refuse_stream(head.stream, Error::stream_closed);
    if (head.bytes > stream.receive_window) return refuse_stream(head.stream, Error::flow_control_error);
    stream.receive_window -= head.bytes;
    if (stream.is_declared && payload.size() > stream.declared_left) {
      return refuse_stream(head.stream, Error::protocol_error);
    }
    stream.declared_left -= stream.is_declared ? payload.size() : 0;
    const bool ends = head.has(flag_end_stream);
    if (payload.empty() && !ends) note_useless();
    flow->unread.append(payload);
    flow->read_at_ms = now_ms_;
    if (ends) return end(head.stream, *flow);
    streams_.note_touched(head.stream);
  }

  // END_STREAM has come.
  void end(std::uint32_t id, Flow& flow) {
    const Stream& stream = *flow.stream;
    if (stream.is_declared && stream.declared_left != 0) return refuse_stream(id, Error::protocol_error);
    flow.read_ended = true;
    streams_.note_touched(id);
  }

  void take_headers(const FrameHead& head, std::string_view payload) {
    if (!is_clients(head.stream)) return fail(Error::protocol_error, "HEADERS on a stream that no client opens");
    if (!strip_padding(head, payload)) return fail(Error::protocol_error, "padding is longer than its frame");
    if (head.has(flag_priority)) {
      if (payload.size() < priority_bytes)
        return fail(Error::frame_size_error, "HEADERS are too short for their priority");
      if (depends_on(payload) == head.stream) return fail(Error::protocol_error, "a stream depends on itself");
      payload.remove_prefix(priority_bytes);
    }
    if (head.has(flag_end_headers)) return take_block(head.stream, head.has(flag_end_stream), payload);
    frames_.block.append(payload);
    frames_.block_stream = head.stream;
    frames_.block_frames = 0;
    frames_.block_since_ms = now_ms_;
    frames_.block_ends_stream = head.has(flag_end_stream);
  }

  void take_continuation(const FrameHead& head, std::string_view payload) {
    if (frames_.block_stream == 0) return fail(Error::protocol_error, "CONTINUATION without HEADERS");
    // What is longer than any encoding of a list that is taken gets no 431.
    const std::uint64_t most = 4 * terms_.list_bytes + frame_bytes_max;
    if (++frames_.block_frames > block_frames_max || frames_.block.size() + payload.size() > most) {
      return fail(Error::enhance_your_calm, "a header block is too long");
    }
    frames_.block.append(payload);
    if (!head.has(flag_end_headers)) return;
    const std::uint32_t id = std::exchange(frames_.block_stream, 0);
    const state::Buffer block = std::exchange(frames_.block, {});
    take_block(id, frames_.block_ends_stream, block.view());
  }

  void take_block(std::uint32_t id, bool ends, std::string_view block) {
    const BlockError error = decode_block(block, frames_.table, terms_.list_bytes, scratch_.list);
    if (error == BlockError::compression) return fail(Error::compression_error, "a header block is invalid");
    if (Flow* const flow = find(id)) return take_trailers(id, *flow, ends, error);
    if (id <= frames_.last_stream) {
      switch (how_ended(frames_, id)) {
        case Ended::by_our_reset:
          return;
        case Ended::normally:
          return fail(Error::stream_closed, "HEADERS on a stream that has ended");
        case Ended::no:
          return fail(Error::protocol_error, "a stream's id is lower than an earlier one");
      }
    }
    if (frames_.goaway_sent) return;  // the client will ask elsewhere
    frames_.last_stream = id;
    if (!has_room()) return refuse_stream(id, Error::refused_stream);
    begin_stream(id, ends, error);
  }

  // For one more stream. Those that have been reset are closed (§5.1), even if they have not been dropped yet.
  bool has_room() const {
    if (streams_.count() < frames_.streams_max) return true;
    std::size_t open = 0;
    streams_.each([](Flow& flow, void* with) { *static_cast<std::size_t*>(with) += flow.was_reset ? 0 : 1; }, &open);
    return open < frames_.streams_max;
  }

  void begin_stream(std::uint32_t id, bool ends, BlockError error) {
    state::Buffer text;
    const auto facts = append_request(scratch_.list.fields(), text);
    const bool is_too_large = error == BlockError::too_large;
    const bool contradicts = facts && ends && facts->content_length.value_or(0) != 0;
    if (!is_too_large && (!facts || contradicts)) return refuse_stream(id, Error::protocol_error);
    ++frames_.requests;
    Flow& flow = streams_.begin(id);
    Stream& stream = *flow.stream;
    stream.id = id;
    stream.send_window = frames_.peer_stream_window;
    stream.receive_window = frames_.stream_window;
    stream.has_body = !ends;
    flow.read_ended = ends;
    flow.read_at_ms = flow.write_at_ms = now_ms_;
    if (is_too_large) {
      stream.refused_with = 431;
    } else {
      stream.is_declared = facts->content_length.has_value();
      stream.declared_left = facts->content_length.value_or(0);
      stream.takes_connect = facts->is_extended_connect;
      stream.head_bytes = static_cast<std::uint32_t>(text.size());
      flow.unread = std::move(text);
    }
    streams_.note_touched(id);
  }

  void take_trailers(std::uint32_t id, Flow& flow, bool ends, BlockError error) {
    if (flow.read_ended) return refuse_stream(id, Error::stream_closed);
    state::Buffer text;
    const bool is_good = ends && error == BlockError::none && append_trailers(scratch_.list.fields(), text);
    if (!is_good) return refuse_stream(id, Error::protocol_error);
    flow.stream->trailers_in = std::move(text);
    flow.read_at_ms = now_ms_;
    end(id, flow);
  }

  void take_priority(const FrameHead& head, std::string_view payload) {
    if (!is_clients(head.stream)) return fail(Error::protocol_error, "PRIORITY of a stream that no client opens");
    if (payload.size() != priority_bytes) {
      return is_idle(head.stream) ? fail(Error::frame_size_error, "PRIORITY with a wrong length")
                                  : refuse_stream(head.stream, Error::frame_size_error);
    }
    if (depends_on(payload) == head.stream) return fail(Error::protocol_error, "a stream depends on itself");
    note_useless();
  }

  void take_reset(const FrameHead& head, std::string_view payload) {
    if (payload.size() != 4) return fail(Error::frame_size_error, "RST_STREAM with a wrong length");
    if (!is_clients(head.stream) || is_idle(head.stream))
      return fail(Error::protocol_error, "RST_STREAM of an idle stream");
    Flow* const flow = find(head.stream);
    note_useless(flow != nullptr ? weight_of_a_request : 1);
    if (flow == nullptr) return;
    end_by_reset(head.stream, *flow);
    note_ended(frames_, head.stream, Ended::normally);
  }

  void take_settings(const FrameHead& head, std::string_view payload) {
    if (head.stream != 0) return fail(Error::protocol_error, "SETTINGS of a stream");
    if (head.has(flag_ack)) {
      if (!payload.empty()) return fail(Error::frame_size_error, "an acknowledgement with settings");
      if (frames_.settings_acknowledged) return note_useless();
      frames_.settings_acknowledged = true;
      return;
    }
    if (payload.size() % 6 != 0) return fail(Error::frame_size_error, "SETTINGS with a wrong length");
    frames_.settings_came = true;
    // Each setting counts, since it may change the windows of all streams.
    note_useless(static_cast<std::uint32_t>(std::max<std::size_t>(payload.size() / 6, 1)));
    for (; !payload.empty() && !frames_.has_failed; payload.remove_prefix(6)) {
      const auto id = static_cast<Setting>(read_short(payload.data()));
      apply(id, read_number(payload.data() + 2));
    }
    if (!frames_.has_failed) append_frame_head(leg_.unsent, {0, FrameType::settings, flag_ack, 0});
  }

  void apply(Setting id, std::uint32_t value) {
    switch (id) {
      case Setting::header_table_size:
        if (value < state::HpackTable::limit_default) frames_.has_small_table = true;
        return;
      case Setting::enable_push:
        if (value > 1) fail(Error::protocol_error, "ENABLE_PUSH is neither 0 nor 1");
        return;
      case Setting::initial_window_size:
        return set_stream_window(value);
      case Setting::max_frame_size:
        if (value < frame_bytes_max || value > 0xff'ffff) fail(Error::protocol_error, "MAX_FRAME_SIZE is out of range");
        return;
      case Setting::max_concurrent_streams:
      case Setting::max_header_list_size:
      case Setting::enable_connect_protocol:
        return;
    }
  }

  // It changes the windows of all streams (§6.9.2).
  void set_stream_window(std::uint32_t value) {
    if (value > window_max) return fail(Error::flow_control_error, "INITIAL_WINDOW_SIZE is out of range");
    struct Change {
      std::int64_t by;
      bool is_too_much = false;
    } change{std::int64_t{value} - frames_.peer_stream_window};
    frames_.peer_stream_window = value;
    streams_.each(
        [](Flow& flow, void* with) {
          auto& to = *static_cast<Change*>(with);
          if (!grow(flow.stream->send_window, to.by)) to.is_too_much = true;
        },
        &change);
    if (change.is_too_much) fail(Error::flow_control_error, "a stream's window is out of range");
  }

  void take_ping(const FrameHead& head, std::string_view payload) {
    if (head.stream != 0) return fail(Error::protocol_error, "PING of a stream");
    if (payload.size() != 8) return fail(Error::frame_size_error, "PING with a wrong length");
    note_useless();
    if (head.has(flag_ack) || frames_.has_failed) return;
    append_frame_head(leg_.unsent, {8, FrameType::ping, flag_ack, 0});
    leg_.unsent.append(payload);
  }

  void take_goaway(const FrameHead& head, std::string_view payload) {
    if (head.stream != 0) return fail(Error::protocol_error, "GOAWAY of a stream");
    if (payload.size() < 8) return fail(Error::frame_size_error, "GOAWAY with a wrong length");
    note_useless();
  }

  void take_window_update(const FrameHead& head, std::string_view payload) {
    if (payload.size() != 4) return fail(Error::frame_size_error, "WINDOW_UPDATE with a wrong length");
    const std::uint32_t increment = read_number(payload.data()) & 0x7fff'ffff;
    // A window that is opened bit by bit is a flood of small frames.
    constexpr std::uint32_t useful_bytes = 256;
    if (increment < useful_bytes) note_useless();
    if (head.stream == 0) {
      if (increment == 0) return fail(Error::protocol_error, "WINDOW_UPDATE by 0");
      if (!grow(frames_.send_window, increment)) {
        fail(Error::flow_control_error, "the connection's window is out of range");
      }
      return;
    }
    if (!is_clients(head.stream) || is_idle(head.stream)) {
      return fail(Error::protocol_error, "WINDOW_UPDATE of an idle stream");
    }
    Flow* const flow = find(head.stream);
    if (flow == nullptr) return;
    if (increment == 0) return refuse_stream(head.stream, Error::protocol_error);
    if (!grow(flow->stream->send_window, increment)) return refuse_stream(head.stream, Error::flow_control_error);
    streams_.note_touched(head.stream);
  }

  Frames& frames_;
  Flow& leg_;
  Streams& streams_;
  const Terms& terms_;
  const std::int64_t now_ms_;
  Floods& floods_;
  Scratch& scratch_;
};

}  // namespace

bool open(Frames& frames, Flow& leg, Streams& streams, const Terms& terms, std::int64_t now_ms, Floods& floods,
          Scratch& scratch) {
  scratch.failure = {};
  return Opener(frames, leg, streams, terms, now_ms, floods, scratch).run();
}

}  // namespace baton::http2
