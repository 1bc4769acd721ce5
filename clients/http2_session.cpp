#include "clients/http2_session.hpp"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "clients/nghttp2_text.hpp"

namespace baton::clients {

namespace {

void check(long result) {
  if (result < 0) throw std::runtime_error(fmt::format("nghttp2: {}", nghttp2_strerror(static_cast<int>(result))));
}

}  // namespace

// nghttp2 calls these from `receive` and `take_unsent`.
struct Http2Session::Callbacks {
  static Http2Session& of(void* self) { return *static_cast<Http2Session*>(self); }
  static Stream* stream_of(void* self, std::int32_t id) {
    const auto found = of(self).streams_.find(id);
    return found == of(self).streams_.end() || found->second.is_cancelled ? nullptr : &found->second;
  }

  static int field(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                   const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* self) {
    Stream* const stream = stream_of(self, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const std::string_view text = text_of(value, value_bytes);
    if (text_of(name, name_bytes) == ":status") {
      std::from_chars(text.data(), text.data() + text.size(), stream->status);
    } else {
      stream->fields.emplace_back(text_of(name, name_bytes), text);
    }
    return 0;
  }

  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t count,
                  void* self) {
    nghttp2_session_consume_connection(session, count);
    Stream* const stream = stream_of(self, id);
    if (stream == nullptr) return 0;
    if (stream->is_held) {
      stream->unread_bytes += count;
    } else {
      nghttp2_session_consume_stream(session, id, count);
    }
    of(self).complain(stream->judge->on_body(text_of(bytes, count)));
    return 0;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_GOAWAY) of(self).complain("told that the connection will be closed");
    Stream* const stream = stream_of(self, frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && stream->status >= 200) {
      const Http2Fields fields = std::exchange(stream->fields, {});
      of(self).complain(std::exchange(stream->has_head, true) ? stream->judge->on_trailers(fields)
                                                              : stream->judge->on_head(stream->status, fields));
    }
    const bool is_message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (is_message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) of(self).complain(stream->judge->on_end());
    return 0;
  }

  static int invalid(nghttp2_session*, const nghttp2_frame* frame, int error, void* self) {
    of(self).complain(fmt::format("a frame of type {} against the rules: {}", frame->hd.type, nghttp2_strerror(error)));
    return 0;
  }

  // nghttp2 ends a connection by itself when it finds an error in it.
  static int sent(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      of(self).complain(
          fmt::format("an error of the connection: {}", nghttp2_http2_strerror(frame->goaway.error_code)));
    }
    return 0;
  }

  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* self) {
    if (stream_of(self, id) != nullptr && code != 0) {
      of(self).complain(fmt::format("a stream was reset: {}", nghttp2_http2_strerror(code)));
    }
    of(self).streams_.erase(id);
    return 0;
  }

  static ssize_t read(nghttp2_session*, std::int32_t id, std::uint8_t* to, std::size_t most, std::uint32_t* flags,
                      nghttp2_data_source*, void* self) {
    Stream* const stream = stream_of(self, id);
    if (stream == nullptr) return NGHTTP2_ERR_DEFERRED;
    const std::size_t bytes = std::min(most, stream->unsent.size());
    std::memcpy(to, stream->unsent.data(), bytes);
    stream->unsent.erase(0, bytes);
    if (stream->unsent.empty() && stream->ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (bytes == 0 && !stream->ends) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(bytes);
  }
};

Http2Session::Http2Session(std::uint32_t stream_window) {
  nghttp2_session_callbacks* callbacks = nullptr;
  check(nghttp2_session_callbacks_new(&callbacks));
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::field);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frame);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, &Callbacks::invalid);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Callbacks::sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::closed);
  nghttp2_option* option = nullptr;
  check(nghttp2_option_new(&option));
  nghttp2_option_set_no_auto_window_update(option, 1);
  const int result = nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  check(result);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window},
                                             {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  check(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
}

Http2Session::~Http2Session() {
  nghttp2_session_del(session_);
}

std::int32_t Http2Session::begin(const Http2Request& request, std::shared_ptr<Http2Judge> judge) {
  std::vector<nghttp2_nv> pairs{pair_of(":method", request.is_websocket ? "CONNECT" : request.method),
                                pair_of(":scheme", "http"), pair_of(":path", request.target),
                                pair_of(":authority", request.host)};
  if (request.is_websocket) pairs.push_back(pair_of(":protocol", "websocket"));
  pairs.push_back(pair_of("user-agent", "baton-demo"));
  for (const auto& [name, value] : request.fields) pairs.push_back(pair_of(name, value));
  nghttp2_data_provider body{};
  body.read_callback = &Callbacks::read;
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(),
                                                 request.has_body || request.is_websocket ? &body : nullptr, nullptr);
  check(id);
  Stream& stream = streams_[id];
  stream.judge = std::move(judge);
  stream.is_held = request.is_held;
  return id;
}

void Http2Session::send(std::int32_t id, std::string_view bytes, bool ends) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.unsent += bytes;
  found->second.ends = ends;
  nghttp2_session_resume_data(session_, id);  // an error: it was not waiting
}

void Http2Session::read_on(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  check(nghttp2_session_consume_stream(session_, id, std::exchange(found->second.unread_bytes, 0)));
}

void Http2Session::set_stream_window(std::uint32_t bytes) {
  const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, bytes};
  check(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &window, 1));
}

void Http2Session::cancel(std::int32_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || std::exchange(found->second.is_cancelled, true)) return;
  check(nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL));
}

std::string Http2Session::receive(std::string_view bytes) {
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) complain(fmt::format("no HTTP/2: {}", nghttp2_strerror(static_cast<int>(taken))));
  return wrong_;
}

std::string Http2Session::take_unsent() {
  std::string unsent;
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    check(count);
    if (count == 0) return unsent;
    unsent += text_of(bytes, static_cast<std::size_t>(count));
  }
}

std::size_t Http2Session::held_back(std::int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second.unsent.size();
}

void Http2Session::complain(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

}  // namespace baton::clients
