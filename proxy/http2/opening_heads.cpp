// Heads that come: header blocks become the text of requests, of responses, and of trailers.
#include <utility>

#include "proxy/http2/head_text.hpp"
#include "proxy/http2/opener.hpp"

namespace baton::http2 {

using state::Flow;
using state::Stream;

namespace {

constexpr std::uint32_t block_frames_max = 64;  // of one header block

}  // namespace

void Opener::take_headers(const FrameHead& head, std::string_view payload) {
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

void Opener::take_continuation(const FrameHead& head, std::string_view payload) {
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

void Opener::take_block(std::uint32_t id, bool ends, std::string_view block) {
  const BlockError error = decode_block(block, frames_.table, terms_.list_bytes, scratch_.list);
  if (error == BlockError::compression) return fail(Error::compression_error, "a header block is invalid");
  if (Flow* const flow = find(id)) {
    const bool is_head = frames_.is_client && !flow->stream->head_came;
    return is_head ? take_response(id, *flow, ends, error) : take_trailers(id, *flow, ends, error);
  }
  if (frames_.is_client && is_idle(id)) return fail(Error::protocol_error, "HEADERS on an idle stream");
  if (id <= frames_.last_stream) {
    switch (how_ended(frames_, id)) {
      case Ended::by_our_reset:
        return note_useless();
      case Ended::normally:
        return fail(Error::stream_closed, "HEADERS on a stream that has ended");
      case Ended::no:
        if (frames_.is_client) return note_useless();  // it ended long ago
        return fail(Error::protocol_error, "a stream's id is lower than an earlier one");
    }
  }
  if (frames_.goaway_sent) return;  // the client will ask elsewhere
  frames_.last_stream = id;
  if (!has_room()) return refuse_stream(id, Error::refused_stream, "too many are open");
  begin_stream(id, ends, error);
}

bool Opener::has_room() const {
  if (streams_.count() < frames_.streams_max) return true;
  std::size_t open = 0;
  streams_.each([](Flow& flow, void* with) { *static_cast<std::size_t*>(with) += flow.was_reset ? 0 : 1; }, &open);
  return open < frames_.streams_max;
}

void Opener::begin_stream(std::uint32_t id, bool ends, BlockError error) {
  state::Buffer text;
  const auto facts = append_request(scratch_.list.fields(), text);
  const bool is_too_large = error == BlockError::too_large;
  const bool contradicts = facts && ends && facts->content_length.value_or(0) != 0;
  if (!is_too_large && !facts) return refuse_stream(id, Error::protocol_error, "its head is malformed");
  if (!is_too_large && contradicts) {
    return refuse_stream(id, Error::protocol_error, "less content than its content-length");
  }
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
  streams_.note_touched(flow);
}

void Opener::take_response(std::uint32_t id, Flow& flow, bool ends, BlockError error) {
  if (flow.read_ended) return refuse_stream(id, Error::stream_closed, "HEADERS behind its end");
  // Nothing else bounds how many interim responses wait here.
  if (flow.unread.size() > terms_.list_bytes) {
    return refuse_stream(id, Error::enhance_your_calm, "too many interim responses");
  }
  const auto facts = error == BlockError::none ? append_response(scratch_.list.fields(), flow.unread) : std::nullopt;
  if (!facts) return refuse_stream(id, Error::protocol_error, "its head is malformed");
  flow.read_at_ms = now_ms_;
  const bool is_interim = facts->status < 200;
  if (is_interim && ends) return refuse_stream(id, Error::protocol_error, "an interim response that ends it");
  streams_.note_touched(flow);
  if (is_interim) return;
  Stream& stream = *flow.stream;
  stream.head_came = true;
  // RFC 9110 §8.6: such a response may name the length that it would have.
  const bool has_content = !stream.is_head_request && facts->status != 204 && facts->status != 304;
  const bool is_tunnel = stream.takes_connect && facts->status < 300;  // whose length would be that of nothing
  stream.is_declared = !is_tunnel && (!has_content || facts->content_length.has_value());
  stream.declared_left = has_content ? facts->content_length.value_or(0) : 0;
  if (ends) end(id, flow);
}

void Opener::take_trailers(std::uint32_t id, Flow& flow, bool ends, BlockError error) {
  if (flow.read_ended) return refuse_stream(id, Error::stream_closed, "HEADERS behind its end");
  state::Buffer text;
  const bool is_good = ends && error == BlockError::none && append_trailers(scratch_.list.fields(), text);
  if (!is_good) return refuse_stream(id, Error::protocol_error, "its trailers are malformed");
  flow.stream->trailers_in = std::move(text);
  flow.read_at_ms = now_ms_;
  end(id, flow);
}

}  // namespace baton::http2
