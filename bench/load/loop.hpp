// An epoll loop and the sockets in it.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <vector>

// Neither sending (a request fits into an empty socket) nor reading waits: the loop deals in readiness only.
constexpr int at_once = MSG_DONTWAIT | MSG_NOSIGNAL;

// Ends the bench. `what` as for perror(3).
[[noreturn]] void give_up(const char* what);

// One socket in the loop.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() { end(); }
  virtual void on_events(std::uint32_t events) = 0;

  int fd() const { return fd_; }
  void end() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

class Loop {
 public:
  void add(Peer& peer) { control(EPOLL_CTL_ADD, peer, EPOLLIN); }
  void watch(Peer& peer, std::uint32_t events) { control(EPOLL_CTL_MOD, peer, events); }

  // Never sleeps: a proxy must not pay for waking us, as it would not pay for waking another machine.
  void run_once() { run_once(0); }
  void wait_and_run_once() { run_once(-1); }

  // Another event of this round may still point to it.
  void dispose(std::unique_ptr<Peer> peer) {
    peer->end();
    gone_.push_back(std::move(peer));
  }

 private:
  void run_once(int patience_ms) {
    epoll_event events[256];
    const int count = ::epoll_wait(epoll_, events, 256, patience_ms);
    for (int i = 0; i < count; ++i) {
      auto* peer = static_cast<Peer*>(events[i].data.ptr);
      if (peer->fd() >= 0) peer->on_events(events[i].events);
    }
    gone_.clear();
  }

  void control(int operation, Peer& peer, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &peer;
    if (::epoll_ctl(epoll_, operation, peer.fd(), &event) != 0) give_up("epoll_ctl");
  }

  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Peer>> gone_;
};
