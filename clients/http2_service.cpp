#include "clients/http2_service.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <iterator>

#include "clients/content.hpp"
#include "clients/dialogue.hpp"
#include "clients/grpc.hpp"
#include "clients/nghttp2_text.hpp"

namespace baton::clients {

namespace {

constexpr std::size_t download_bytes_per_tick = 32 * 1024;
constexpr std::size_t unsent_bytes_max = 64 * 1024;

}  // namespace

// One request, and the body of its response.
class Http2Service::Stream {
 public:
  std::string target;

  void begin() { content_.emplace(target); }
  bool is(std::string_view prefix) const { return target.starts_with(prefix); }
  bool is_echo() const { return is(grpc_prefix); }
  bool is_upload() const { return is(upload_prefix); }
  bool lasts() const { return is(download_prefix) || is(flood_prefix) || is(events_prefix); }

  // A piece of the request's body.
  void take(std::string_view bytes) {
    if (is_echo()) {
      unsent_ += bytes;
    } else if (is_upload()) {
      if (!content_->matches(taken_bytes_, bytes)) is_right_ = false;
      taken_bytes_ += bytes.size();
      digest_.add(bytes);
    }
  }
  std::string receipt() const { return is_right_ ? upload_receipt(taken_bytes_, digest_) : "wrong bytes arrived\n"; }

  void finish(std::string_view last = {}) {
    unsent_ += last;
    is_whole_ = true;
  }

  void tick() {
    if (is(download_prefix)) {
      unsent_ += content_->at(given_bytes_, download_bytes_per_tick);
      given_bytes_ += download_bytes_per_tick;
    }
    if (is(events_prefix)) unsent_ += expected_event(target, ++events_);
  }
  bool is_full() const { return unsent_.size() > unsent_bytes_max; }

  ssize_t give(std::uint8_t* to, std::size_t most, std::uint32_t* flags) {
    if (is(flood_prefix)) {
      unsent_ = content_->at(given_bytes_, most);
      given_bytes_ += most;
    }
    const std::size_t bytes = std::min(most, unsent_.size());
    std::memcpy(to, unsent_.data(), bytes);
    unsent_.erase(0, bytes);
    if (unsent_.empty() && is_whole_) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (bytes == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(bytes);
  }

 private:
  std::optional<Content> content_;
  Digest digest_;
  std::uint64_t taken_bytes_ = 0;
  bool is_right_ = true;
  std::string unsent_;
  bool is_whole_ = false;
  std::uint64_t given_bytes_ = 0;
  std::uint64_t events_ = 0;
};

// nghttp2 calls these from `receive` and `take_unsent`.
struct Http2Service::Callbacks {
  static Http2Service& of(void* self) { return *static_cast<Http2Service*>(self); }

  static int field(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                   const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* self) {
    if (text_of(name, name_bytes) != ":path") return 0;
    Stream& stream = of(self).streams_[frame->hd.stream_id];
    stream.target = text_of(value, value_bytes);
    stream.begin();
    return 0;
  }
  static int data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t count,
                  void* self) {
    Stream& stream = of(self).streams_[id];
    stream.take(text_of(bytes, count));
    if (stream.is_echo()) nghttp2_session_resume_data(session, id);
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    const bool is_head = frame->hd.type == NGHTTP2_HEADERS;
    const bool is_end = (is_head || frame->hd.type == NGHTTP2_DATA) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_head) of(self).begin(frame->hd.stream_id);
    if (is_end) of(self).end(frame->hd.stream_id);
    return 0;
  }
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* self) {
    of(self).streams_.erase(id);
    return 0;
  }
  static ssize_t give(nghttp2_session* session, std::int32_t id, std::uint8_t* to, std::size_t most,
                      std::uint32_t* flags, nghttp2_data_source*, void* self) {
    Stream& stream = of(self).streams_[id];
    const ssize_t bytes = stream.give(to, most, flags);
    if (stream.is_echo() && (*flags & NGHTTP2_DATA_FLAG_EOF) != 0) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const nghttp2_nv status = pair_of(grpc_status_field, "0");
      nghttp2_submit_trailer(session, id, &status, 1);
    }
    return bytes;
  }
};

Http2Service::Http2Service(Answers answers) : answers_(std::move(answers)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::field);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::closed);
  nghttp2_session_server_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
}

Http2Service::~Http2Service() {
  nghttp2_session_del(session_);
}

bool Http2Service::receive(std::string_view bytes) {
  return nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) >= 0;
}

std::string Http2Service::take_unsent() {
  std::string all;
  while (all.size() < unsent_bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count <= 0) break;
    all += text_of(bytes, static_cast<std::size_t>(count));
  }
  return all;
}

void Http2Service::tick() {
  for (auto& [id, stream] : streams_) {
    if (!stream.lasts() || stream.is_full()) continue;
    stream.tick();
    nghttp2_session_resume_data(session_, id);
  }
}

void Http2Service::begin(std::int32_t id) {
  if (streams_[id].is_echo()) respond(id, 200);
}

void Http2Service::end(std::int32_t id) {
  Stream& stream = streams_[id];
  if (stream.is_echo()) {
    stream.finish();
    nghttp2_session_resume_data(session_, id);
    return;
  }
  if (stream.lasts()) return respond(id, 200);
  if (stream.is_upload()) {
    stream.finish(stream.receipt());
    return respond(id, 200);
  }
  const auto answer = answers_(stream.target);
  if (!answer) return;
  if (answer->announces_end) nghttp2_submit_shutdown_notice(session_);
  stream.finish(answer->body);
  respond(id, answer->status);
}

void Http2Service::respond(std::int32_t id, unsigned status) {
  const Stream& stream = streams_[id];
  std::string echo(echo_field);
  std::ranges::transform(echo, echo.begin(), [](unsigned char letter) { return std::tolower(letter); });
  const std::string text = std::to_string(status);
  const nghttp2_nv fields[] = {pair_of(":status", text), pair_of(echo, stream.target),
                               pair_of("content-type", stream.is_echo() ? grpc_content_type : "text/plain")};
  nghttp2_data_provider body{};
  body.read_callback = &Callbacks::give;
  nghttp2_submit_response(session_, id, fields, std::size(fields), &body);
}

}  // namespace baton::clients
