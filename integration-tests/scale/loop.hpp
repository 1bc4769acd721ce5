// One epoll loop for thousands of sockets, in a process that does nothing else.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "harness/fd.hpp"

namespace baton::harness {

// One socket in the loop, and the bytes that could not be sent at once.
class Peer {
 public:
  explicit Peer(Fd socket) : socket_(std::move(socket)) {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  int fd() const { return socket_.get(); }
  bool has_ended() const { return !socket_; }
  // Bytes wait for room in the socket.
  bool is_blocked() const { return !unsent_.empty(); }

  void send(std::string_view bytes);

  // Called by the loop, which reports each change once: this reads until nothing is left.
  virtual void on_readable();
  void on_writable();

 protected:
  virtual void on_bytes(std::string_view) {}
  virtual void on_end() {}

 private:
  Fd socket_;
  std::string unsent_;
};

class Loop {
 public:
  Loop();

  // A peer stays until the loop is destroyed.
  template <class SomePeer>
  SomePeer& add(std::unique_ptr<SomePeer> peer) {
    SomePeer& added = *peer;
    watch(added);
    peers_.push_back(std::move(peer));
    return added;
  }

  // Serves the sockets that are ready; waits at most a millisecond for one.
  void run_once();

 private:
  void watch(Peer& peer);

  Fd epoll_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace baton::harness
