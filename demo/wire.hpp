// One end of a TCP connection, with or without TLS, for clients and origin alike. It is used like any Asio stream, but
// its handlers are type-erased, so Asio's sockets and TLS are compiled only once, in wire.cpp.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "demo/entrances.hpp"

namespace baton::demo {

class Wire {
 public:
  using Opened = std::move_only_function<void(boost::system::error_code)>;
  using Moved = std::move_only_function<void(boost::system::error_code, std::size_t)>;
  using executor_type = boost::asio::any_io_executor;

  // A client's end, not connected yet. With `tls` null it is plain. `context` must outlive it.
  Wire(boost::asio::io_context& context, const TlsContext& tls);

  // A server's end of a connection that was accepted.
  Wire(boost::asio::ip::tcp::socket accepted, const TlsContext& tls);

  Wire(Wire&&) = default;
  ~Wire() { close(); }

  executor_type get_executor();

  struct Options {
    std::optional<int> receive_buffer_bytes;  // the kernel holds at most that much unread data
    std::string_view protocol;                // offered by ALPN; empty: none is
    std::optional<boost::asio::ip::address> from = {};
  };
  // Connects and does the TLS handshake.
  void connect(const boost::asio::ip::tcp::endpoint& server, const Options& options, Opened opened);

  // The protocol that both sides of a TLS connection have agreed on by ALPN; nothing without TLS.
  std::optional<std::string_view> agreed_protocol() const;

  // Does the TLS handshake as the server.
  template <class Token>
  auto async_welcome(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [this](auto handler) { welcome(std::move(handler)); }, token);
  }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, boost::asio::mutable_buffer into) { read(into, std::move(handler)); }, token,
        first<boost::asio::mutable_buffer>(buffers));
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, boost::asio::const_buffer from) { write(from, std::move(handler)); }, token,
        first<boost::asio::const_buffer>(buffers));
  }

  // Closes the connection, with TLS without a close_notify. No handler is called afterwards.
  void close();

 private:
  struct Stream;

  // "Some" may be less than the total of a sequence's buffers.
  template <class Buffer, class Buffers>
  static Buffer first(const Buffers& buffers) {
    for (auto at = boost::asio::buffer_sequence_begin(buffers); at != boost::asio::buffer_sequence_end(buffers); ++at) {
      if (Buffer(*at).size() != 0) return Buffer(*at);
    }
    return {};
  }

  void welcome(Opened opened);
  void read(boost::asio::mutable_buffer into, Moved moved);
  void write(boost::asio::const_buffer from, Moved moved);

  std::shared_ptr<Stream> stream_;  // shared with operations in progress
};

// Whether the connection ended because TLS, on either side, found a byte that the other side had not sent.
bool is_forged(const boost::system::error_code& error);

// Whether the other side has ended the connection, with or without a close_notify.
bool is_end(const boost::system::error_code& error);

// Whether it was reset, which no complete message looks like.
bool is_reset(const boost::system::error_code& error);

}  // namespace baton::demo
