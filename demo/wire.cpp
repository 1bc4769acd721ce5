#include "demo/wire.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <string>

namespace baton::demo {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

struct Wire::Stream {
  tcp::socket socket;
  std::optional<ssl::stream<tcp::socket&>> tls;
  bool closed = false;

  Stream(tcp::socket on, const TlsContext& context) : socket(std::move(on)) {
    if (context) tls.emplace(socket, *context);
  }

  // Calls `opened` when both sides have completed the handshake.
  static void shake_hands(const std::shared_ptr<Stream>& stream, ssl::stream_base::handshake_type side, Opened opened);
};

namespace {

// Wraps `handler` so that it keeps the stream for as long as it may be called, and is not called after `close`.
template <class Stream, class Handler>
auto while_open(std::shared_ptr<Stream> stream, Handler handler) {
  return [stream = std::move(stream), handler = std::move(handler)](const error_code& error, auto... bytes) mutable {
    if (!stream->closed) handler(error, bytes...);
  };
}

}  // namespace

Wire::Wire(asio::io_context& context, const TlsContext& tls)
    : stream_(std::make_shared<Stream>(tcp::socket(context), tls)) {}

Wire::Wire(tcp::socket accepted, const TlsContext& tls) : stream_(std::make_shared<Stream>(std::move(accepted), tls)) {
  error_code ignored;  // the first read notices a client that has already gone
  stream_->socket.set_option(tcp::no_delay(true), ignored);
}

Wire::executor_type Wire::get_executor() {
  return stream_->socket.get_executor();
}

void Wire::connect(const tcp::endpoint& server, const Options& options, Opened opened) {
  tcp::socket& socket = stream_->socket;
  error_code error;
  socket.open(server.protocol(), error);
  if (!error) socket.set_option(tcp::no_delay(true), error);
  if (!error && options.receive_buffer_bytes) {
    socket.set_option(tcp::socket::receive_buffer_size(*options.receive_buffer_bytes), error);
  }
  if (!error && options.from) socket.bind({*options.from, 0}, error);
  if (stream_->tls && !options.protocol.empty()) {
    const std::string list = static_cast<char>(options.protocol.size()) + std::string(options.protocol);
    SSL_set_alpn_protos(stream_->tls->native_handle(), reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  if (error) return opened(error);
  auto connected = [stream = stream_, opened = std::move(opened)](const error_code& refused) mutable {
    if (refused) return opened(refused);
    Stream::shake_hands(stream, ssl::stream_base::client, std::move(opened));
  };
  socket.async_connect(server, while_open(stream_, std::move(connected)));
}

std::optional<std::string_view> Wire::agreed_protocol() const {
  if (!stream_->tls) return std::nullopt;
  const unsigned char* name = nullptr;
  unsigned bytes = 0;
  SSL_get0_alpn_selected(stream_->tls->native_handle(), &name, &bytes);
  return std::string_view(reinterpret_cast<const char*>(name), bytes);
}

void Wire::welcome(Opened opened) {
  Stream::shake_hands(stream_, ssl::stream_base::server, std::move(opened));
}

void Wire::Stream::shake_hands(const std::shared_ptr<Stream>& stream, ssl::stream_base::handshake_type side,
                               Opened opened) {
  if (stream->tls) {
    stream->tls->async_handshake(side, while_open(stream, std::move(opened)));
  } else {
    asio::post(stream->socket.get_executor(),
               [handler = while_open(stream, std::move(opened))]() mutable { handler(error_code()); });
  }
}

void Wire::read(asio::mutable_buffer into, Moved moved) {
  auto handler = while_open(stream_, std::move(moved));
  if (stream_->tls) return stream_->tls->async_read_some(into, std::move(handler));
  stream_->socket.async_read_some(into, std::move(handler));
}

void Wire::write(asio::const_buffer from, Moved moved) {
  auto handler = while_open(stream_, std::move(moved));
  if (stream_->tls) return stream_->tls->async_write_some(from, std::move(handler));
  stream_->socket.async_write_some(from, std::move(handler));
}

void Wire::close() {
  if (!stream_) return;
  stream_->closed = true;
  error_code ignored;  // nothing can be done about an error from close
  stream_->socket.close(ignored);
}

bool is_forged(const error_code& error) {
  return error.category() == asio::error::get_ssl_category();
}

bool is_end(const error_code& error) {
  return error == asio::error::eof || error == ssl::error::stream_truncated;
}

bool is_reset(const error_code& error) {
  return error == asio::error::connection_reset || error == asio::error::broken_pipe;
}

}  // namespace baton::demo
