// Listening sockets and a blocking client for tests of the admin interface.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "handoff/unique_fd.hpp"

namespace baton::admin {

inline void require(bool done, const char* what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// A blocking socket that listens: on loopback TCP, or on an abstract Unix address that the kernel chooses.
inline handoff::UniqueFd make_listener(int family) {
  handoff::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Address address;
  address.storage.ss_family = static_cast<sa_family_t>(family);
  address.length = sizeof(sa_family_t);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in&>(address.storage).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.length = sizeof(sockaddr_in);
  }
  require(::bind(socket.get(), address.get(), address.length) == 0, "bind");
  require(::listen(socket.get(), 1024) == 0, "listen");
  return socket;
}

class Client {
 public:
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  explicit Client(int listener) {
    Address address;
    address.length = sizeof address.storage;
    require(::getsockname(listener, reinterpret_cast<sockaddr*>(&address.storage), &address.length) == 0,
            "getsockname");
    socket_ = handoff::UniqueFd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{30, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    require(::connect(socket_.get(), address.get(), address.length) == 0, "connect");
  }

  void send(std::string_view bytes) {
    require(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()),
            "send");
  }
  // False: the other side does not take all of it now, or has closed.
  bool send_what_goes(std::string_view bytes) {
    const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent == static_cast<ssize_t>(bytes.size());
  }
  // Makes the kernel buffer little that is not read.
  void shorten_reading() {
    const int bytes = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  void end_sending() { ::shutdown(socket_.get(), SHUT_WR); }

  // The next response; `head_only` for one to HEAD. Throws if the connection ends first.
  Response receive(bool head_only = false) {
    boost::beast::http::response_parser<boost::beast::http::string_body> parser;
    parser.skip(head_only);
    parser.eager(true);
    boost::beast::error_code error;
    while (!parser.is_done()) {
      received_.consume(parser.put(received_.data(), error));
      if (error == boost::beast::http::error::need_more || (!error && !parser.is_done())) {
        if (!receive_some()) throw std::runtime_error("the connection has ended");
      } else if (error) {
        throw std::system_error(error);
      }
    }
    return parser.release();
  }
  Response ask(std::string_view method, std::string_view target, std::string_view fields = "") {
    send(std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: admin\r\n" + std::string(fields) +
         "\r\n");
    return receive(method == "HEAD");
  }
  Response get(std::string_view target) { return ask("GET", target); }

  // Whether a response or EOF has arrived.
  bool is_readable() const {
    pollfd polled{socket_.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) > 0;
  }
  // Raw bytes; empty if none have arrived.
  std::string take_what_is_here() {
    std::string bytes;
    char piece[16 * 1024];
    for (ssize_t count; (count = ::recv(socket_.get(), piece, sizeof piece, MSG_DONTWAIT)) > 0;) {
      bytes.append(piece, static_cast<std::size_t>(count));
    }
    return bytes;
  }
  // True once the server has closed, with no byte before that.
  bool has_ended() { return received_.size() == 0 && !receive_some(); }

 private:
  bool receive_some() {
    const auto space = received_.prepare(4096);
    const ssize_t count = ::recv(socket_.get(), space.data(), space.size(), 0);
    if (count < 0 && errno != ECONNRESET) require(false, "recv");
    received_.commit(count > 0 ? static_cast<std::size_t>(count) : 0);
    return count > 0;
  }

  handoff::UniqueFd socket_;
  boost::beast::flat_buffer received_;
};

}  // namespace baton::admin
