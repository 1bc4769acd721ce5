#include "scale/loop.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "harness/deadline.hpp"

namespace baton::harness {

void Peer::send(std::string_view bytes) {
  if (is_blocked()) {
    unsent_ += bytes;
    return;
  }
  const ssize_t put = ::send(fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put < 0 && errno != EAGAIN) return;  // reading will report the end
  unsent_ = bytes.substr(put < 0 ? 0 : static_cast<std::size_t>(put));
}

void Peer::on_readable() {
  char bytes[16 * 1024];
  while (!has_ended()) {
    const ssize_t got = ::recv(fd(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) {
      on_bytes({bytes, static_cast<std::size_t>(got)});
    } else {
      socket_.close();
      on_end();
    }
  }
}

void Peer::on_writable() {
  if (is_blocked()) send(std::exchange(unsent_, {}));
}

Loop::Loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

void Loop::run_once() {
  epoll_event events[256];
  const int count = ::epoll_wait(epoll_.get(), events, 256, 1);
  for (int i = 0; i < count; ++i) {
    auto& peer = *static_cast<Peer*>(events[i].data.ptr);
    if (!peer.has_ended()) peer.on_writable();
    if (!peer.has_ended()) peer.on_readable();
  }
}

void Loop::watch(Peer& peer) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  event.data.ptr = &peer;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, peer.fd(), &event) != 0)
    throw Failure(std::string("epoll_ctl: ") + std::strerror(errno));
}

}  // namespace baton::harness
