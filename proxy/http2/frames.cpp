// What is sent: streams are put into frames. And how streams and connections end.
#include "proxy/http2/frames.hpp"

#include <algorithm>
#include <array>
#include <concepts>

#include "proxy/http2/frame_format.hpp"

namespace baton::http2 {

using state::EndedStreams;
using state::Flow;
using state::Frames;
using state::Stream;

namespace {

constexpr std::uint32_t was_reset_by_us = 0x8000'0000;  // in EndedStreams

// In frames that any peer takes.
void append_block(const Frames& frames, state::Buffer& out, std::uint32_t stream, bool ends, std::string_view block) {
  constexpr std::string_view empty_table = "\x20";  // a size update to 0 (RFC 7541 §6.3)
  const std::string_view before = frames.has_small_table ? empty_table : std::string_view();
  std::string_view piece = block.substr(0, frame_bytes_max - before.size());
  block.remove_prefix(piece.size());
  const auto flags = [&](std::uint8_t others) {
    return static_cast<std::uint8_t>(others | (block.empty() ? flag_end_headers : 0));
  };
  append_frame_head(out, {static_cast<std::uint32_t>(piece.size() + before.size()), FrameType::headers,
                          flags(ends ? flag_end_stream : 0), stream});
  out.append(before);
  out.append(piece);
  while (!block.empty()) {
    piece = block.substr(0, frame_bytes_max);
    block.remove_prefix(piece.size());
    append_frame_head(out, {static_cast<std::uint32_t>(piece.size()), FrameType::continuation, flags(0), stream});
    out.append(piece);
  }
}

std::size_t content_to_seal(const Frames& frames, const Flow& flow) {
  // A frame and its head fit into one TLS record.
  constexpr std::int64_t most = frame_bytes_max - frame_head_bytes;
  const auto waiting = static_cast<std::int64_t>(std::min<std::size_t>(flow.unsent.size(), most));
  return static_cast<std::size_t>(
      std::max<std::int64_t>(std::min({waiting, flow.stream->send_window, frames.send_window}), 0));
}

bool end_is_due(const Flow& flow) {
  return flow.write_ended && !flow.stream->end_sent && flow.unsent.empty();
}

struct OurSetting {
  Setting id;
  std::uint32_t value;
};

void append_setting(state::Buffer& out, const OurSetting& setting) {
  const auto number = static_cast<std::uint16_t>(setting.id);
  const std::array<char, 2> bytes{static_cast<char>(number >> 8), static_cast<char>(number)};
  out.append({bytes.data(), bytes.size()});
  append_number(out, setting.value);
}

// The first SETTINGS, with those of one role, and the connection's window.
void append_settings(Frames& frames, Flow& leg, const Terms& terms, std::same_as<OurSetting> auto... of_role) {
  constexpr auto count = static_cast<std::uint32_t>(2 + sizeof...(of_role));
  frames.stream_window = terms.stream_window;
  append_frame_head(leg.unsent, {count * 6, FrameType::settings, 0, 0});
  append_setting(leg.unsent, {Setting::initial_window_size, terms.stream_window});
  append_setting(leg.unsent, {Setting::max_header_list_size, static_cast<std::uint32_t>(terms.list_bytes)});
  (append_setting(leg.unsent, of_role), ...);
  if (terms.connection_window <= frames.receive_window) return;
  append_window_update(leg.unsent, 0, terms.connection_window - frames.receive_window);
  frames.receive_window = terms.connection_window;
}

}  // namespace

void begin(Frames& frames, Flow& leg, const Terms& terms) {
  frames.streams_max = terms.streams_max;
  append_settings(frames, leg, terms, OurSetting{Setting::max_concurrent_streams, terms.streams_max},
                  OurSetting{Setting::enable_connect_protocol, 1});
}

void begin_as_client(Frames& frames, Flow& leg, const Terms& terms) {
  frames.is_client = true;
  frames.streams_max = terms.streams_max;
  leg.unsent.append(preface);
  append_settings(frames, leg, terms, OurSetting{Setting::enable_push, 0});
}

void begin_stream(const Frames& frames, Flow& flow) {
  Stream& stream = flow.stream.emplace();
  stream.send_window = frames.peer_stream_window;
  stream.receive_window = frames.stream_window;
}

bool awaits_window(const Frames& frames, const Flow& flow) {
  return flow.stream->heads.empty() && !flow.unsent.empty() && content_to_seal(frames, flow) == 0;
}

bool can_seal(const Frames& frames, const Flow& leg, const Flow& flow, const Terms& terms) {
  if (leg.unsent.size() >= terms.buffer_bytes || flow.was_reset) return false;
  return !flow.stream->heads.empty() || content_to_seal(frames, flow) != 0 || end_is_due(flow);
}

bool seal(Frames& frames, Flow& leg, Flow& flow, const Terms& terms) {
  if (!can_seal(frames, leg, flow, terms)) return false;
  Stream& stream = *flow.stream;
  if (stream.id == 0) {
    stream.id = frames.last_stream += frames.last_stream == 0 ? 1 : 2;
    ++frames.requests;
  }
  while (!stream.heads.empty()) {
    const BlockMark mark = read_block_mark(stream.heads.data());
    append_block(frames, leg.unsent, stream.id, mark.ends_stream,
                 stream.heads.view().substr(block_mark_bytes, mark.bytes));
    stream.heads.consume(block_mark_bytes + mark.bytes);
  }
  if (const std::size_t bytes = content_to_seal(frames, flow)) {
    const bool ends = bytes == flow.unsent.size() && flow.write_ended && !stream.trailers_out;
    append_frame_head(leg.unsent, {static_cast<std::uint32_t>(bytes), FrameType::data,
                                   ends ? flag_end_stream : std::uint8_t{0}, stream.id});
    flow.unsent.move_to(leg.unsent, bytes);
    stream.send_window -= static_cast<std::int64_t>(bytes);
    frames.send_window -= static_cast<std::int64_t>(bytes);
    stream.end_sent = stream.end_sent || ends;
  }
  if (!end_is_due(flow)) return true;
  if (stream.trailers_out) {
    append_block(frames, leg.unsent, stream.id, true, stream.trailers_out->view());
    stream.trailers_out.reset();
  } else {
    append_frame_head(leg.unsent, {0, FrameType::data, flag_end_stream, stream.id});
  }
  stream.end_sent = true;
  return true;
}

void reset(Frames& frames, Flow& leg, const Flow& flow, Error error) {
  if (flow.stream->id == 0) return;  // no frame has named it yet
  append_reset(leg.unsent, flow.stream->id, error);
  note_ended(frames, flow.stream->id, Ended::by_our_reset);
}

void note_ended(Frames& frames, std::uint32_t id, Ended how) {
  if (!frames.ended) frames.ended.emplace();
  EndedStreams& ended = *frames.ended;
  ended.ids[ended.next++ % ended.ids.size()] = how == Ended::by_our_reset ? id | was_reset_by_us : id;
}

Ended how_ended(const Frames& frames, std::uint32_t id) {
  if (!frames.ended) return Ended::no;
  for (const std::uint32_t one : frames.ended->ids) {
    if (one == id) return Ended::normally;
    if (one == (id | was_reset_by_us)) return Ended::by_our_reset;
  }
  return Ended::no;
}

void go_away(Frames& frames, Flow& leg, Error error) {
  append_frame_head(leg.unsent, {8, FrameType::goaway, 0, 0});
  append_number(leg.unsent, frames.last_stream);
  append_number(leg.unsent, static_cast<std::uint32_t>(error));
  frames.goaway_sent = true;
}

}  // namespace baton::http2
