// A connected socket in a loop: its readiness as reported by the kernel, and non-blocking reads and writes straight
// into and out of a leg's buffers.
#pragma once

#include <cstdint>

#include "handoff/unique_fd.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::runtime {

// Has the kernel probe a connection, or those accepted from a listening socket, after so many seconds of silence; one
// that does not answer ends after about twice that time. 0: never.
void keep_alive(int descriptor, int idle_s);

class Socket;

class SocketOwner {
 public:
  virtual void on_ready(Socket& socket) = 0;

 protected:
  ~SocketOwner() = default;
};

enum class Io {
  done,          // some bytes moved
  would_block,
  ended,         // reading: the other side has sent its FIN
  failed,        // the connection is broken
};

class Socket final : public EventHandler {
 public:
  Socket(Loop& loop, handoff::UniqueFd fd, SocketOwner& owner) : loop_(loop), fd_(std::move(fd)), owner_(&owner) {
    if (fd_) loop_.socket_opened();
  }
  ~Socket() override { close(); }

  // Registers it, edge-triggered for all events; false: the kernel has no room. While it is taken for writable, its owner
  // is not told of room alone: who waits for that, as for a connect, calls note_writable(false) first.
  bool watch();
  bool watched() const { return watched_; }
  // Removes it from the loop; it stays open. What was known of its readiness is forgotten.
  void unwatch();
  // Ends the connection. (To drop a descriptor that another process owns, use `unwatch` and `release`.)
  void close();
  handoff::UniqueFd release();
  // Closes with a RST: the other side sees an error, not EOF.
  void close_with_reset();
  // shutdown(SHUT_WR)
  void end_writing();

  // Another process may hold a copy of this descriptor, so closing ours alone would not end the connection.
  void note_shared() { shared_ = true; }

  void set_owner(SocketOwner& owner) { owner_ = &owner; }
  int descriptor() const { return fd_.get(); }
  bool is_open() const { return static_cast<bool>(fd_); }

  bool readable() const { return readable_; }
  bool writable() const { return writable_; }
  // EPOLLERR was seen: the other side has reset the connection. (EPOLLHUP alone is no reset: both directions have
  // ended, and earlier bytes may still be unread.)
  bool broken() const { return broken_; }
  void note_writable(bool writable) { writable_ = writable; }
  void note_readable() { readable_ = true; }

  // The most that one read or write moves, however large the buffers are.
  static constexpr std::size_t io_bytes_max = 64 * 1024;
  // TCP_NOTSENT_LOWAT of clients' sockets: by default the kernel would buffer megabytes for each slow reader.
  static constexpr int unsent_bytes = 256 * 1024;
  // What a read must find for `is_bulky`, and what a pipe must.
  static constexpr std::size_t bulk_bytes = 16 * 1024;
  static constexpr std::size_t spliced_bulk_bytes = 64 * 1024;

  // Reads once, at most `bytes`.
  Io receive(state::Buffer& into, std::size_t bytes);
  // Writes once.
  Io send(state::Buffer& from);
  // Without copying, to and from the ends of a pipe (splice(2)); see Pipe. Whether a socket has nothing to read, has
  // ended or waits at an urgent byte looks the same to splice, so only `receive` can tell. What keeps a socket from
  // being sent on, the next `send` reports.
  struct Spliced {
    std::size_t bytes = 0;
    bool failed = false;   // reading: the connection is broken
    bool possible = true;  // false: not permitted, or not for such descriptors
  };
  Spliced splice_to(int write_end, std::size_t bytes);
  Spliced splice_from(int read_end, std::size_t bytes);
  // About how many bytes the kernel takes before it reports no room. Where the system has a lower tcp_notsent_lowat
  // than ours, it takes fewer.
  std::size_t send_room() const;
  // The last read has found more than it could take, and much, so a pipe pays.
  bool is_bulky() const { return bulky_; }
  void note_no_bulk() { bulky_ = false; }
  // Sending found the connection broken, by a reset or a timeout, so EOF here means truncation. (EPIPE alone does not
  // mean that: then the other side had sent its FIN before it reset the connection.)
  bool was_reset() const { return was_reset_; }
  // SO_ERROR, for a connect that has completed.
  int take_error();
  // After EPOLLERR with nothing to read or send: takes the error and returns whether it was a reset.
  bool finds_reset();
  // Sent bytes, including a FIN, that the other side's kernel has not acknowledged yet.
  std::size_t unacknowledged() const;
  // Checks without reading: is an idle connection still open, with nothing received?
  bool is_quiet();

  void on_events(std::uint32_t events) override;

 private:
  void note_read(std::size_t got, std::size_t room);
  Io cannot_send();

  Loop& loop_;                 // outlives every socket in it
  handoff::UniqueFd fd_;
  SocketOwner* owner_;         // outlives the socket, or passes it on (set_owner)
  bool watched_ = false;
  bool readable_ = false;
  bool writable_ = true;
  bool peer_ended_ = false;    // EPOLLRDHUP was seen: a short read does not mean that nothing is left
  bool hung_up_ = false;       // EPOLLHUP or EPOLLERR was seen
  bool broken_ = false;
  bool shared_ = false;
  bool was_reset_ = false;
  bool bulky_ = false;
};

}  // namespace baton::runtime
