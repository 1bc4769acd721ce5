// What comes: frames are taken apart into streams.
#include "proxy/http2/opener.hpp"

#include <algorithm>
#include <utility>

namespace baton::http2 {

using state::Flow;
using state::Frames;
using state::Stream;

namespace {

constexpr std::int64_t window_max = 0x7fff'ffff;  // RFC 9113 §6.9.1

// False: it would be too large (RFC 9113 §6.9.1). It stays within its bounds, since it may still move.
bool grow(std::int64_t& window, std::int64_t by) {
  window += by;
  if (window <= window_max) return true;
  window = window_max;
  return false;
}

}  // namespace

bool Opener::run() {
  if (!frames_.is_client && !frames_.preface_came && !take_preface()) return !frames_.has_failed;
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

// ── What is wrong ───────────────────────────────────────────────────────────────────────────────────────────────

void Opener::fail(Error error, std::string_view why) {
  if (frames_.has_failed) return;
  go_away(frames_, leg_, error);
  frames_.has_failed = true;
  scratch_.failure = why;
  scratch_.error = error;
}

void Opener::end_by_reset(Flow& flow, Error error) {
  const bool is_whole_response = frames_.is_client && flow.read_ended;
  if (is_whole_response) {  // the server takes no more of the request (§8.1)
    flow.drop_unsent();
    return streams_.note_touched(flow);
  }
  flow.was_reset = flow.read_ended = true;
  flow.stream->reset_code = static_cast<std::uint32_t>(error);
  flow.drop_unsent();
  streams_.note_touched(flow);
}

void Opener::refuse_stream(std::uint32_t id, Error error, std::string_view why) {
  scratch_.refusal = why;
  ++scratch_.refusals;
  scratch_.refusal_error = error;
  append_reset(leg_.unsent, id, error);
  Flow* const flow = find(id);
  note_useless(flow != nullptr ? weight_of_a_request : 1);
  if (flow != nullptr) end_by_reset(*flow, error);
  note_ended(frames_, id, Ended::by_our_reset);
}

void Opener::note_useless(std::uint32_t weight) {
  if (!floods_.note(now_ms_, weight)) fail(Error::enhance_your_calm, "too many useless frames");
}

// ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────

bool Opener::take_preface() {
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

void Opener::take(const FrameHead& head, std::string_view payload) {
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
      return fail(Error::protocol_error, "PUSH_PROMISE although pushes are disabled");
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

void Opener::take_data(const FrameHead& head, std::string_view payload) {
  if (!is_clients(head.stream)) return fail(Error::protocol_error, "DATA on a stream that no client opens");
  if (!strip_padding(head, payload)) return fail(Error::protocol_error, "padding is longer than its frame");
  if (head.bytes > frames_.receive_window)
    return fail(Error::flow_control_error, "the connection's window is exceeded");
  frames_.receive_window -= head.bytes;
  Flow* const flow = find(head.stream);
  if (flow == nullptr) {
    if (is_idle(head.stream)) return fail(Error::protocol_error, "DATA on an idle stream");
    if (head.stream > frames_.last_stream || how_ended(frames_, head.stream) == Ended::by_our_reset) {
      if (payload.empty()) note_useless();
      return;
    }
    return refuse_stream(head.stream, Error::stream_closed, "DATA behind its end");
  }
  Stream& stream = *flow->stream;
  if (flow->read_ended) return refuse_stream(head.stream, Error::stream_closed, "DATA behind its end");
  if (frames_.is_client && !stream.head_came) {
    return refuse_stream(head.stream, Error::protocol_error, "DATA before its head");
  }
  if (head.bytes > stream.receive_window) {
    return refuse_stream(head.stream, Error::flow_control_error, "its window is exceeded");
  }
  if (stream.edge_ms != 0) watch_edge(*flow, head.bytes);
  stream.receive_window -= head.bytes;
  if (stream.is_declared && payload.size() > stream.declared_left) {
    return refuse_stream(head.stream, Error::protocol_error, "more content than its content-length");
  }
  stream.declared_left -= stream.is_declared ? payload.size() : 0;
  const bool ends = head.has(flag_end_stream);
  if (payload.empty() && !ends) note_useless();
  flow->unread.append(payload);
  flow->read_at_ms = now_ms_;
  if (ends) return end(head.stream, *flow);
  streams_.note_touched(*flow);
}

void Opener::end(std::uint32_t id, Flow& flow) {
  const Stream& stream = *flow.stream;
  if (stream.is_declared && stream.declared_left != 0) {
    return refuse_stream(id, Error::protocol_error, "less content than its content-length");
  }
  flow.read_ended = true;
  streams_.note_touched(flow);
}

void Opener::take_priority(const FrameHead& head, std::string_view payload) {
  if (!is_clients(head.stream)) return fail(Error::protocol_error, "PRIORITY of a stream that no client opens");
  if (payload.size() != priority_bytes) {
    return is_idle(head.stream) ? fail(Error::frame_size_error, "PRIORITY with a wrong length")
                                : refuse_stream(head.stream, Error::frame_size_error, "PRIORITY with a wrong length");
  }
  if (depends_on(payload) == head.stream) return fail(Error::protocol_error, "a stream depends on itself");
  note_useless();
}

void Opener::take_reset(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return fail(Error::frame_size_error, "RST_STREAM with a wrong length");
  if (!is_clients(head.stream) || is_idle(head.stream))
    return fail(Error::protocol_error, "RST_STREAM of an idle stream");
  Flow* const flow = find(head.stream);
  const auto error = static_cast<Error>(read_number(payload.data()));
  if (flow == nullptr) return note_useless();
  note_ended(frames_, head.stream, Ended::normally);
  if (!frames_.is_client) note_useless(weight_of_a_request);
  end_by_reset(*flow, error);
}

void Opener::take_settings(const FrameHead& head, std::string_view payload) {
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

void Opener::apply(Setting id, std::uint32_t value) {
  switch (id) {
    case Setting::header_table_size:
      if (value < state::HpackTable::limit_default) frames_.has_small_table = true;
      return;
    case Setting::enable_push:
      if (value > (frames_.is_client ? 0 : 1)) fail(Error::protocol_error, "ENABLE_PUSH is out of range");
      return;
    case Setting::initial_window_size:
      return set_stream_window(value);
    case Setting::max_frame_size:
      if (value < frame_bytes_max || value > 0xff'ffff) fail(Error::protocol_error, "MAX_FRAME_SIZE is out of range");
      return;
    case Setting::max_concurrent_streams:
      if (frames_.is_client) frames_.peer_streams_max = value;
      return;
    case Setting::enable_connect_protocol:
      if (value > 1) return fail(Error::protocol_error, "ENABLE_CONNECT_PROTOCOL is neither 0 nor 1");
      if (frames_.is_client) frames_.takes_connect = value == 1;
      return;
    case Setting::max_header_list_size:
      return;
  }
}

// It changes the windows of all streams (§6.9.2).
void Opener::set_stream_window(std::uint32_t value) {
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

void Opener::take_ping(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return fail(Error::protocol_error, "PING of a stream");
  if (payload.size() != 8) return fail(Error::frame_size_error, "PING with a wrong length");
  note_useless();
  if (head.has(flag_ack) || frames_.has_failed) return;
  append_frame_head(leg_.unsent, {8, FrameType::ping, flag_ack, 0});
  leg_.unsent.append(payload);
}

void Opener::take_goaway(const FrameHead& head, std::string_view payload) {
  if (head.stream != 0) return fail(Error::protocol_error, "GOAWAY of a stream");
  if (payload.size() < 8) return fail(Error::frame_size_error, "GOAWAY with a wrong length");
  note_useless();
  if (!frames_.is_client) return;
  frames_.goaway_came = true;
  // The server has not looked at the requests above this one (§6.8), so they may be sent elsewhere.
  struct Sweep {
    Opener& opener;
    std::uint32_t last;
  } sweep{*this, read_number(payload.data()) & 0x7fff'ffff};
  streams_.each(
      [](Flow& flow, void* with) {
        const auto& [opener, last] = *static_cast<Sweep*>(with);
        const bool is_unsent = flow.stream->id == 0;
        if (!flow.was_reset && (is_unsent || flow.stream->id > last)) opener.end_by_reset(flow, Error::refused_stream);
      },
      &sweep);
}

void Opener::take_window_update(const FrameHead& head, std::string_view payload) {
  if (payload.size() != 4) return fail(Error::frame_size_error, "WINDOW_UPDATE with a wrong length");
  const std::uint32_t increment = read_number(payload.data()) & 0x7fff'ffff;
  // A window that is opened bit by bit is a flood of small frames, unless it is of small messages.
  constexpr std::uint32_t useful_bytes = 256;
  if (increment < useful_bytes && !floods_.confirms()) note_useless();
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
  // Of a stream that has ended: its client has just read what we had sent before the end, so this is no flood.
  if (flow == nullptr) return;
  if (increment == 0) return refuse_stream(head.stream, Error::protocol_error, "WINDOW_UPDATE by 0");
  if (!grow(flow->stream->send_window, increment)) {
    return refuse_stream(head.stream, Error::flow_control_error, "its window is out of range");
  }
  streams_.note_touched(*flow);
}

bool open(Frames& frames, Flow& leg, Streams& streams, const Terms& terms, std::int64_t now_ms, Floods& floods,
          Scratch& scratch) {
  scratch.failure = scratch.refusal = {};
  scratch.refusals = 0;
  return Opener(frames, leg, streams, terms, now_ms, floods, scratch).run();
}

}  // namespace baton::http2
