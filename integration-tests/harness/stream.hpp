// One connected socket with deadlines on every wait and a buffer for what was read too much. Both sides of the tests
// use it: the client and the origin's connections.
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

// The connection is over, where more of it was wanted.
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

  // Sends all of it, or throws: ConnectionEnded, or a Failure where the other side took nothing until the deadline.
  void send(std::string_view bytes);
  // As `send`, but a lost connection is no failure: how many bytes the kernel took.
  virtual std::size_t send_what_goes(std::string_view bytes);

  // These throw ConnectionEnded when that comes before what they want.
  std::string read_exactly(std::size_t bytes);
  std::string read_through(std::string_view mark);  // the mark is part of the answer

  // For a server whose client may read nothing for as long as it likes.
  void be_patient_in_sending() { send_limit_ = std::chrono::hours(1); }

  // All that comes until the other side sends FIN; a reset throws.
  std::string read_to_fin();
  // All that comes, and how it ended.
  End read_to_end(std::string& bytes);

  // For a server that waits for its next request, without a limit in time. False: the connection has ended.
  bool await_bytes_forever();
  // What has been received and not yet taken.
  std::string read_available() { return take(unread_.size()); }

  // Passes only if nothing comes and nothing ends for so long.
  void expect_silence(Milliseconds for_so_long);

  // Our side has no more to say (FIN), the other may go on.
  virtual void half_close();
  // Ends with RST, throwing away what is in the buffers.
  void reset();
  void close() { socket_.close(); }
  // Wakes a thread that reads here; the connection is over for both.
  void shut_down();

  std::size_t bytes_sent() const { return bytes_sent_; }

 protected:
  enum class Got { bytes, fin, reset };
  // One read, into `into`; it waits if nothing is there.
  virtual Got receive_now(std::string& into);

 private:
  Got receive(Deadline deadline);
  void await_more(const std::string& what);
  std::string take(std::size_t bytes);

  Fd socket_;
  Milliseconds send_limit_ = wait_max;
  std::string unread_;
  std::atomic<std::size_t> bytes_sent_ = 0;
};

}  // namespace baton::harness
