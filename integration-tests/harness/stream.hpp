// A connected socket with a deadline on every wait and a buffer for bytes read ahead. Used by clients and by the
// origin's connections.
#pragma once

#include <atomic>
#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "harness/deadline.hpp"
#include "harness/fd.hpp"

namespace baton::harness {

// How the other side ended the connection.
enum class End { fin, reset };
inline void PrintTo(End end, std::ostream* out) {
  *out << (end == End::fin ? "FIN" : "reset");
}

// The connection ended where more data was expected.
struct ConnectionEnded : Failure {
  using Failure::Failure;
};

class Stream {
 public:
  explicit Stream(Fd socket) : socket_(std::move(socket)) {}
  virtual ~Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int fd() const { return socket_.get(); }

  // Sends everything, or throws: ConnectionEnded, or Failure if the other side took nothing until the deadline.
  void send(std::string_view bytes);
  // Like `send`, but a lost connection is not a failure. Returns how many bytes the kernel took.
  virtual std::size_t send_what_goes(std::string_view bytes);

  // These throw ConnectionEnded if the connection ends first.
  std::string read_exactly(std::size_t bytes);
  std::string read_through(std::string_view mark);  // the result includes the mark

  // For a server whose client may stop reading or sending for any length of time.
  void be_patient() { wait_at_most(std::chrono::hours(1)); }
  void wait_at_most(Milliseconds limit) { limit_ = limit; }

  // Everything until the other side's FIN; a reset throws.
  std::string read_to_fin();
  // Everything until the end, and how it ended.
  End read_to_end(std::string& bytes);

  // For a server that waits for its next request without a time limit. False: the connection has ended.
  bool await_bytes_forever();
  // What has been received but not yet taken.
  std::string read_available() { return take(unread_.size()); }

  // Fails if anything arrives or the connection ends within this time.
  void expect_silence(Milliseconds for_so_long);

  // Sends FIN; the other side may continue.
  virtual void half_close();
  // Ends with RST, discarding the buffers.
  void reset();
  void close() { socket_.close(); }
  // Wakes a thread that reads here; the connection is over for both.
  void shut_down();

  std::size_t bytes_sent() const { return bytes_sent_; }

 protected:
  enum class Got { bytes, fin, reset };
  // One read into `into`; waits if nothing is available.
  virtual Got receive_now(std::string& into);

 private:
  Got receive(Deadline deadline);
  void await_more(const std::string& what);
  std::string take(std::size_t bytes);

  Fd socket_;
  Milliseconds limit_ = wait_max;
  std::string unread_;
  std::atomic<std::size_t> bytes_sent_ = 0;
};

}  // namespace baton::harness
