#include "origin.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>

#include "client.hpp"

namespace {

const std::string head_text =
    "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n";

std::string with_length(const std::string& body) {
  return head_text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Handles requests without a body, and uploads of 1 MiB.
class OriginConnection final : public Peer {
 public:
  OriginConnection(Loop& loop, int fd) : Peer(fd), loop_(loop) { loop_.add(*this); }

  void on_events(std::uint32_t events) override {
    if ((events & EPOLLOUT) != 0) return send();
    char bytes[16 * 1024];
    // Bodies are dropped in the kernel: copying is what the proxy is measured for, not we.
    const ssize_t got = upload_left_ != 0 ? ::recv(fd(), nullptr, upload_left_, at_once | MSG_TRUNC)
                                          : ::recv(fd(), bytes, sizeof bytes, at_once);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return loop_.dispose(std::unique_ptr<Peer>(this));
    const auto count = static_cast<std::size_t>(got);
    if (upload_left_ != 0) {
      uploaded(count);
    } else {
      take_heads({bytes, count});
    }
    if (!unsent_.empty()) send();
  }

 private:
  void take_heads(std::string_view input) {
    if (!unread_.empty()) input = unread_.append(input);
    std::size_t used = 0;
    for (std::size_t end; (end = input.find("\r\n\r\n", used)) != input.npos; used = end + 4) {
      const std::string_view head = input.substr(used);
      if (head.starts_with("PUT /upload ")) {
        upload_left_ = large_bytes;
        return uploaded(input.size() - end - 4);
      }
      closes_ = head.starts_with("GET /until-close ");
      answer(head.starts_with("GET /large "));
    }
    unread_ = std::string(input.substr(used));
  }

  void uploaded(std::size_t bytes) {
    if (bytes > upload_left_) give_up("an upload that is too long");
    unread_.clear();
    upload_left_ -= bytes;
    if (upload_left_ == 0) answer(false);
  }

  void answer(bool large) {
    static const std::string content(large_bytes, 'x');
    static const std::string small_response = with_length("Hello, world!");
    static const std::string large_response = with_length(content);
    static const std::string until_close = head_text + "\r\n" + content;
    if (unsent_.empty()) {
      unsent_ = closes_ ? until_close : large ? large_response : small_response;  // a view: nothing is copied
    } else {
      give_up("a pipelined request");
    }
  }

  void send() {
    const ssize_t put = ::send(fd(), unsent_.data(), unsent_.size(), at_once);
    if (put < 0 && errno != EAGAIN) return loop_.dispose(std::unique_ptr<Peer>(this));
    if (put > 0) unsent_.remove_prefix(static_cast<std::size_t>(put));
    if (unsent_.empty() && closes_) return loop_.dispose(std::unique_ptr<Peer>(this));
    if (unsent_.empty() == waiting_) {
      waiting_ = !waiting_;
      loop_.watch(*this, waiting_ ? EPOLLOUT : EPOLLIN);
    }
  }

  Loop& loop_;
  std::string unread_;
  std::string_view unsent_;
  std::size_t upload_left_ = 0;
  bool closes_ = false;   // once it has answered
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
