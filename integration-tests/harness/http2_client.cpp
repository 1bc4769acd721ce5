#include "harness/http2_client.hpp"

#include <nghttp2/nghttp2.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

namespace baton::harness {

namespace {

std::vector<nghttp2_nv> pairs_of(const Http2Fields& fields) {
  std::vector<nghttp2_nv> pairs;
  const auto bytes = [](const std::string& text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  for (const auto& [name, value] : fields) {
    pairs.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return pairs;
}

void check(int result, std::string_view what) {
  if (result < 0) throw Failure(std::string(what) + ": " + nghttp2_strerror(result));
}

Http2Fields head_of(std::string_view method, std::string_view path, const Http2Fields& more) {
  Http2Fields head{
      {":method", std::string(method)}, {":scheme", "http"}, {":path", std::string(path)}, {":authority", "test"}};
  head.insert(head.end(), more.begin(), more.end());
  return head;
}

}  // namespace

std::string Http2Response::field(std::string_view name) const {
  const auto found = std::ranges::find(fields, name, &Http2Fields::value_type::first);
  return found != fields.end() ? found->second : "";
}

struct Http2Client::Callbacks {
  static Http2Client& of(void* self) { return *static_cast<Http2Client*>(self); }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                    const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* self) {
    Http2Response& response = of(self).streams_[frame->hd.stream_id].response;
    const std::string key(reinterpret_cast<const char*>(name), name_bytes);
    const std::string text(reinterpret_cast<const char*>(value), value_bytes);
    if (key == ":status") {
      const int status = std::stoi(text);
      if (status < 200) {
        response.interim.push_back(status);
      } else {
        response.status = status;
      }
    } else if (of(self).is_past_head(response)) {
      response.trailers.emplace_back(key, text);
    } else {
      response.fields.emplace_back(key, text);
    }
    return 0;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* bytes, std::size_t count,
                  void* self) {
    of(self).streams_[stream].response.body.append(reinterpret_cast<const char*>(bytes), count);
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Http2Client& client = of(self);
    const bool is_message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (frame->hd.type == NGHTTP2_HEADERS && client.streams_[frame->hd.stream_id].response.status != 0) {
      client.heads_.insert(&client.streams_[frame->hd.stream_id].response);
    }
    if (is_message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      client.streams_[frame->hd.stream_id].response.ended = true;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      client.streams_[frame->hd.stream_id].response.reset = frame->rst_stream.error_code;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY) client.goaway_ = frame->goaway.error_code;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) ++client.pongs_;
    return 0;
  }
  static ssize_t read(nghttp2_session* session, std::int32_t stream, std::uint8_t* to, std::size_t most,
                      std::uint32_t* flags, nghttp2_data_source*, void* self) {
    Upload& upload = of(self).streams_[stream].upload;
    const std::size_t bytes = std::min(most, upload.content.size());
    std::memcpy(to, upload.content.data(), bytes);
    upload.content.erase(0, bytes);
    if (upload.content.empty() && (upload.ends || upload.trailers)) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (upload.trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto pairs = pairs_of(*upload.trailers);
        nghttp2_submit_trailer(session, stream, pairs.data(), pairs.size());
      }
      return static_cast<ssize_t>(bytes);
    }
    if (bytes == 0) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(bytes);
  }
};

bool Http2Client::is_past_head(const Http2Response& response) const {
  return heads_.contains(&response);
}

Http2Client::Http2Client(std::unique_ptr<Client> connection, const Http2Options& options)
    : connection_(std::move(connection)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  check(nghttp2_session_callbacks_new(&callbacks), "nghttp2");
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frame);
  nghttp2_option* how = nullptr;
  check(nghttp2_option_new(&how), "nghttp2");
  nghttp2_option_set_no_auto_window_update(how, options.updates_windows ? 0 : 1);
  const int result = nghttp2_session_client_new2(&session_, callbacks, this, how);
  nghttp2_option_del(how);
  nghttp2_session_callbacks_del(callbacks);
  check(result, "nghttp2");
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.stream_window},
                                             {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}};
  check(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2), "SETTINGS");
  flush();
}

Http2Client::~Http2Client() {
  nghttp2_session_del(session_);
}

std::int32_t Http2Client::begin(const Http2Fields& head, bool ends) {
  const auto pairs = pairs_of(head);
  nghttp2_data_provider provider{};
  provider.read_callback = &Callbacks::read;
  const std::int32_t stream =
      nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), ends ? nullptr : &provider, nullptr);
  check(stream, "a request");
  streams_[stream];
  flush();
  return stream;
}

std::int32_t Http2Client::begin_get(std::string_view path, const Http2Fields& more) {
  return begin(head_of("GET", path, more));
}

std::int32_t Http2Client::begin_post(std::string_view path, const Http2Fields& more) {
  return begin(head_of("POST", path, more), false);
}

std::int32_t Http2Client::begin_websocket(std::string_view path) {
  Http2Fields head = head_of("CONNECT", path, {{"sec-websocket-version", "13"}});
  head.insert(head.begin(), {":protocol", "websocket"});
  return begin(head, false);
}

void Http2Client::send(std::int32_t stream, std::string_view content, bool ends) {
  Upload& upload = streams_[stream].upload;
  upload.content += content;
  upload.ends = ends;
  nghttp2_session_resume_data(session_, stream);
  flush();
}

void Http2Client::send_trailers(std::int32_t stream, const Http2Fields& trailers) {
  streams_[stream].upload.trailers = trailers;
  nghttp2_session_resume_data(session_, stream);
  flush();
}

Http2Response Http2Client::post(std::string_view path, std::string_view body, const Http2Fields& more) {
  const std::int32_t stream = begin_post(path, more);
  send(stream, body, true);
  return await_end(stream);
}

void Http2Client::reset(std::int32_t stream, std::uint32_t code) {
  check(nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code), "RST_STREAM");
  flush();
}

void Http2Client::update_window(std::int32_t stream, std::int32_t by) {
  check(nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, stream, by), "WINDOW_UPDATE");
  flush();
}

void Http2Client::flush() {
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    check(static_cast<int>(count), "sending");
    if (count == 0) return;
    connection_->send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)});
  }
}

void Http2Client::receive() {
  std::string bytes = connection_->read_exactly(1);
  bytes += connection_->read_available();
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  check(static_cast<int>(taken), "receiving");
  flush();
}

template <class Condition>
const Http2Response& Http2Client::await(std::int32_t stream, Condition condition) {
  const Http2Response& response = streams_[stream].response;
  while (!response.reset && !response.ended && !condition(response)) receive();
  return response;
}

const Http2Response& Http2Client::await_interim(std::int32_t stream) {
  return await(stream, [](const Http2Response& one) { return !one.interim.empty(); });
}

const Http2Response& Http2Client::await_head(std::int32_t stream) {
  return await(stream, [](const Http2Response& one) { return one.status != 0; });
}

const Http2Response& Http2Client::await_body(std::int32_t stream, std::size_t bytes) {
  return await(stream, [bytes](const Http2Response& one) { return one.body.size() >= bytes; });
}

const Http2Response& Http2Client::await_end(std::int32_t stream) {
  return await(stream, [](const Http2Response&) { return false; });
}

void Http2Client::await_goaway() {
  while (!goaway_) receive();
}

std::int32_t Http2Client::send_window() const {
  return nghttp2_session_get_remote_window_size(session_);
}

void Http2Client::settle(Milliseconds quiet) {
  pollfd poll{.fd = connection_->fd(), .events = POLLIN, .revents = 0};
  while (::poll(&poll, 1, static_cast<int>(quiet.count())) > 0) receive();
}

void Http2Client::ping() {
  const unsigned before = pongs_;
  check(nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr), "PING");
  flush();
  while (pongs_ == before) receive();
}

}  // namespace baton::harness
