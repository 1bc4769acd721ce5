#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <map>
#include <memory>

#include "clients/content.hpp"
#include "clients/dialogue.hpp"
#include "demo/behaviours.hpp"
#include "demo/origin.hpp"

namespace baton::demo {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds beat{20};
constexpr std::size_t download_bytes_per_beat = 32 * 1024;
constexpr std::size_t unsent_bytes_max = 64 * 1024;

std::string_view text_of(const std::uint8_t* bytes, std::size_t count) {
  return {reinterpret_cast<const char*>(bytes), count};
}

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// One request, and the body of its response.
class Stream {
 public:
  std::string target;

  void begin() { content_.emplace(target); }
  bool is(std::string_view prefix) const { return target.starts_with(prefix); }
  bool lasts() const { return is(clients::download_prefix) || is(clients::flood_prefix) || is(clients::events_prefix); }

  // A piece of an upload.
  void take(std::string_view bytes) {
    if (!content_ || !content_->matches(taken_bytes_, bytes)) is_right_ = false;
    taken_bytes_ += bytes.size();
    digest_.add(bytes);
  }
  std::string receipt() const {
    return is_right_ ? clients::upload_receipt(taken_bytes_, digest_) : "wrong bytes arrived\n";
  }

  void answer(std::string body) {
    unsent_ = std::move(body);
    is_whole_ = true;
  }

  void tick() {
    if (is(clients::download_prefix)) {
      unsent_ += content_->at(given_bytes_, download_bytes_per_beat);
      given_bytes_ += download_bytes_per_beat;
    }
    if (is(clients::events_prefix)) unsent_ += clients::expected_event(target, ++events_);
  }
  bool is_full() const { return unsent_.size() > unsent_bytes_max; }

  ssize_t give(std::uint8_t* to, std::size_t most, std::uint32_t* flags) {
    if (is(clients::flood_prefix)) {
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
  std::optional<clients::Content> content_;
  clients::Digest digest_;
  std::uint64_t taken_bytes_ = 0;
  bool is_right_ = true;
  std::string unsent_;
  bool is_whole_ = false;
  std::uint64_t given_bytes_ = 0;
  std::uint64_t events_ = 0;
};

// One connection. It is owned by the two coroutines that read and write.
class Service {
 public:
  Service(Wire client, const Replier& reply)
      : client_(std::move(client)), wake_(client_.get_executor()), reply_(reply) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &Service::on_field);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Service::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Service::on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Service::on_close);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Service() { nghttp2_session_del(session_); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  static asio::awaitable<void> read(std::shared_ptr<Service> self, std::string begun) {
    std::array<char, 32 * 1024> bytes;
    for (std::string_view got = begun; self->take(got);) {
      self->wake_.cancel();
      const auto [error, count] = co_await self->client_.async_read_some(asio::buffer(bytes), as_result);
      if (error) break;
      got = {bytes.data(), count};
    }
    self->end();
  }

  static asio::awaitable<void> write(std::shared_ptr<Service> self) {
    auto next_beat = std::chrono::steady_clock::now();
    while (!self->has_ended_) {
      if (std::chrono::steady_clock::now() >= next_beat) {
        self->tick();
        next_beat += beat;
      }
      const std::string bytes = self->unsent();
      if (bytes.empty()) {
        self->wake_.expires_at(next_beat);
        co_await self->wake_.async_wait(as_result);
        continue;
      }
      const auto [error, count] = co_await asio::async_write(self->client_, asio::buffer(bytes), as_result);
      if (error) break;
    }
    self->end();
  }

 private:
  static Service& of(void* self) { return *static_cast<Service*>(self); }

  static int on_field(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                      const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* self) {
    if (text_of(name, name_bytes) != ":path") return 0;
    Stream& stream = of(self).streams_[frame->hd.stream_id];
    stream.target = text_of(value, value_bytes);
    stream.begin();
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t count,
                     void* self) {
    of(self).streams_[id].take(text_of(bytes, count));
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    const bool is_message = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (is_message && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) of(self).respond(frame->hd.stream_id);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* self) {
    of(self).streams_.erase(id);
    return 0;
  }
  static ssize_t give(nghttp2_session*, std::int32_t id, std::uint8_t* to, std::size_t most, std::uint32_t* flags,
                      nghttp2_data_source*, void* self) {
    return of(self).streams_[id].give(to, most, flags);
  }

  void respond(std::int32_t id) {
    Stream& stream = streams_[id];
    unsigned status = 200;
    if (stream.is(clients::upload_prefix)) {
      stream.answer(stream.receipt());
    } else if (!stream.lasts()) {
      Reply said = reply_(stream.target);
      if (said.then == Reply::Then::stay_silent) return;
      if (said.then == Reply::Then::close_without_answer) return end();
      if (said.then == Reply::Then::close) nghttp2_submit_shutdown_notice(session_);
      status = said.status;
      stream.answer(std::move(said.body));
    }
    std::string echo(clients::echo_field);
    std::ranges::transform(echo, echo.begin(), [](unsigned char letter) { return std::tolower(letter); });
    const std::string text = std::to_string(status);
    const nghttp2_nv fields[] = {pair_of(":status", text), pair_of(echo, stream.target)};
    nghttp2_data_provider body{};
    body.read_callback = &Service::give;
    nghttp2_submit_response(session_, id, fields, std::size(fields), &body);
  }

  // False: it is no HTTP/2, or the connection has ended.
  bool take(std::string_view bytes) {
    if (has_ended_) return false;
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) >= 0;
  }

  void tick() {
    for (auto& [id, stream] : streams_) {
      if (!stream.lasts() || stream.is_full()) continue;
      stream.tick();
      nghttp2_session_resume_data(session_, id);
    }
  }

  std::string unsent() {
    std::string all;
    while (all.size() < unsent_bytes_max) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
      if (count <= 0) break;
      all += text_of(bytes, static_cast<std::size_t>(count));
    }
    return all;
  }

  void end() {
    has_ended_ = true;
    wake_.cancel();
    client_.close();
  }

  Wire client_;
  asio::steady_timer wake_;
  const Replier& reply_;  // outlives the connection
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  bool has_ended_ = false;
};

}  // namespace

asio::awaitable<void> serve_http2(Wire client, const Replier& reply, std::string begun) {
  auto executor = client.get_executor();
  const auto service = std::make_shared<Service>(std::move(client), reply);
  asio::co_spawn(executor, Service::write(service), asio::detached);
  co_await Service::read(service, std::move(begun));
}

}  // namespace baton::demo
