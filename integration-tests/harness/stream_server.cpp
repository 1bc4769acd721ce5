#include "harness/stream_server.hpp"

#include <sys/socket.h>

namespace baton::harness {

StreamServer::StreamServer(Serve serve) : serve_(std::move(serve)), acceptor_([this] { accept_all(); }) {}

StreamServer::~StreamServer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  for (Connection& connection : connections_) connection.stream.shut_down();
  for (Connection& connection : connections_) connection.thread.join();
}

void StreamServer::accept_all() {
  for (Fd socket; (socket = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));) {
    Connection& connection = connections_.emplace_back(std::move(socket));
    ++accepted_;
    connection.thread = std::thread([this, &stream = connection.stream] {
      try {
        serve_(stream);
      } catch (const Failure&) {
      }
      stream.shut_down();
    });
  }
}

}  // namespace baton::harness
