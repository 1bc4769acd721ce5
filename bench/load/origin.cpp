#include "origin.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t large_bytes = 1024 * 1024;

std::string head_text(std::size_t body_bytes) {
  return "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
         "Content-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n";
}

// Handles only requests without a body.
class OriginConnection final : public Peer {
 public:
  OriginConnection(Loop& loop, int fd) : Peer(fd), loop_(loop) { loop_.add(*this); }

  void on_events(std::uint32_t events) override {
    if ((events & EPOLLOUT) != 0) return send();
    char bytes[16 * 1024];
    const ssize_t got = ::recv(fd(), bytes, sizeof bytes, at_once);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return loop_.dispose(std::unique_ptr<Peer>(this));
    std::string_view input(bytes, static_cast<std::size_t>(got));
    if (!unread_.empty()) input = unread_.append(input);
    std::size_t used = 0;
    for (std::size_t end; (end = input.find("\r\n\r\n", used)) != input.npos; used = end + 4) {
      answer(input.substr(used).starts_with("GET /large "));
    }
    unread_ = std::string(input.substr(used));
    if (!unsent_.empty()) send();
  }

 private:
  void answer(bool large) {
    static const std::string small_response = head_text(13) + "Hello, world!";
    static const std::string large_response = head_text(large_bytes) + std::string(large_bytes, 'x');
    if (unsent_.empty()) {
      unsent_ = large ? large_response : small_response;  // a view: nothing is copied
    } else {
      give_up("a pipelined request");
    }
  }

  void send() {
    const ssize_t put = ::send(fd(), unsent_.data(), unsent_.size(), at_once);
    if (put < 0 && errno != EAGAIN) return loop_.dispose(std::unique_ptr<Peer>(this));
    if (put > 0) unsent_.remove_prefix(static_cast<std::size_t>(put));
    if (unsent_.empty() == waiting_) {
      waiting_ = !waiting_;
      loop_.watch(*this, waiting_ ? EPOLLOUT : EPOLLIN);
    }
  }

  Loop& loop_;
  std::string unread_;
  std::string_view unsent_;
  bool waiting_ = false;  // for room in the socket
};

}  // namespace

Origin::Origin(Loop& loop) : Peer(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), loop_(loop) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(fd(), reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(fd(), 4096) != 0 ||
      ::getsockname(fd(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    give_up("the origin's socket");
  }
  port_ = ntohs(address.sin_port);
  loop_.add(*this);
}

void Origin::on_events(std::uint32_t) {
  const int fd_of_proxy = ::accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd_of_proxy < 0) return;
  const int on = 1;
  ::setsockopt(fd_of_proxy, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  new OriginConnection(loop_, fd_of_proxy);  // disposes of itself when the proxy closes
}
