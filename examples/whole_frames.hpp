// A layer between a websocket::stream and its socket. It never gives the stream part of a frame or anything beyond one,
// so between two messages the stream holds nothing, and bytes of the next frame are here, where they can be moved.
//
// The stream's own timeouts and permessage-deflate must be off, which is the default: both are state.
#pragma once

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using beast::error_code;

// Reads what is available without blocking. False: the client has disconnected.
inline bool read_what_is_there(tcp::socket& socket, std::string& into) {
  char piece[16 * 1024];
  error_code error;
  into.append(piece, socket.read_some(asio::buffer(piece), error));
  return !error || error == asio::error::would_block;
}

class WholeFrames {
 public:
  static constexpr std::size_t frame_bytes_max = 128 * 1024;

  using executor_type = tcp::socket::executor_type;

  // `on_rest` is called whenever the stream waits for a frame and is at rest.
  WholeFrames(tcp::socket socket, std::string unread, std::function<void()> on_rest)
      : socket_(std::move(socket)), unread_(std::move(unread)), on_rest_(std::move(on_rest)) {}

  executor_type get_executor() { return socket_.get_executor(); }
  tcp::socket& socket() { return socket_; }

  // (handover) The only state of the stream above is now that it is open; `unread` holds bytes of the next frame.
  bool is_at_rest() const { return waiting_ && !in_message_ && !closing_; }
  const std::string& unread() const { return unread_; }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_compose<Token, void(error_code, std::size_t)>(
        [this, buffers, begun = false](auto& self, error_code error = {}) mutable {
          if (!std::exchange(begun, true) && has_whole_frame()) return asio::post(get_executor(), std::move(self));
          waiting_ = false;
          if (!error && !has_whole_frame() && !read_what_is_there(socket_, unread_)) error = asio::error::eof;
          if (error || has_whole_frame()) return self.complete(error, error ? 0 : give(buffers));
          waiting_ = true;
          if (is_at_rest()) on_rest_();
          socket_.async_wait(tcp::socket::wait_read, std::move(self));
        },
        token, socket_);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_compose<Token, void(error_code, std::size_t)>(
        [this, buffers, begun = false](auto& self, error_code error = {}) mutable {
          std::size_t count = 0;
          if (!std::exchange(begun, true)) error = asio::error::would_block;
          else if (!error) count = socket_.write_some(buffers, error);
          if (error == asio::error::would_block) return socket_.async_wait(tcp::socket::wait_write, std::move(self));
          self.complete(error, count);
        },
        token, socket_);
  }

  // (handover) Only `accept` writes synchronously, when a stream takes the place of another: the client already has
  // that response, so it is discarded here.
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, error_code& error) {
    error = {};
    return asio::buffer_size(buffers);
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) { return asio::buffer_size(buffers); }
  // Never called; Beast requires the declaration.
  template <class Buffers>
  std::size_t read_some(const Buffers&, error_code& error) { return error = asio::error::eof, 0; }
  template <class Buffers>
  std::size_t read_some(const Buffers&) { throw beast::system_error(asio::error::eof); }

 private:
  // RFC 6455 §5.2. Nothing: the header is incomplete.
  std::optional<std::size_t> frame_bytes() const {
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(unread_[at]); };
    if (unread_.size() < 2) return std::nullopt;
    const unsigned code = byte(1) & 0x7f;
    const std::size_t length_bytes = code == 126 ? 2 : code == 127 ? 8 : 0;
    const std::size_t header_bytes = 2 + length_bytes + ((byte(1) & 0x80) != 0 ? 4 : 0);
    if (unread_.size() < header_bytes) return std::nullopt;
    std::uint64_t length = length_bytes == 0 ? code : 0;
    for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(2 + i);
    // The stream refuses a longer frame once it has seen the header.
    return length > frame_bytes_max ? header_bytes : header_bytes + static_cast<std::size_t>(length);
  }

  // Or the rest of a frame that was given in part.
  bool has_whole_frame() const {
    if (frame_left_ != 0) return true;
    const auto bytes = frame_bytes();
    return bytes && unread_.size() >= *bytes;
  }

  template <class Buffers>
  std::size_t give(const Buffers& buffers) {
    if (frame_left_ == 0) {
      frame_left_ = *frame_bytes();
      const unsigned opcode = static_cast<unsigned char>(unread_[0]) & 0x0f;
      const bool is_last = (static_cast<unsigned char>(unread_[0]) & 0x80) != 0;
      if (opcode < 8) in_message_ = !is_last;
      if (opcode == 8) closing_ = true;
    }
    const std::size_t count = asio::buffer_copy(buffers, asio::buffer(unread_, frame_left_));
    unread_.erase(0, count);
    frame_left_ -= count;
    return count;
  }

  tcp::socket socket_;
  std::string unread_;               // not given to the stream yet
  std::function<void()> on_rest_;
  std::size_t frame_left_ = 0;       // of the frame being given to the stream; all of it is here
  bool waiting_ = false;             // the stream wants a frame and none is here
  bool in_message_ = false;          // fragments of one were given, and not the last
  bool closing_ = false;
};

inline void teardown(beast::role_type, WholeFrames& layer, error_code& error) {
  layer.socket().shutdown(tcp::socket::shutdown_both, error);
}

template <class Handler>
void async_teardown(beast::role_type role, WholeFrames& layer, Handler&& handler) {
  error_code error;
  teardown(role, layer, error);
  asio::post(layer.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), error));
}

inline void beast_close_socket(WholeFrames& layer) {
  error_code ignored;
  layer.socket().close(ignored);
}
