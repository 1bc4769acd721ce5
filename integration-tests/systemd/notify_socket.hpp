// The service manager's side: the socket that NOTIFY_SOCKET names, and every message on it with the sending process as
// reported by the kernel.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "harness/deadline.hpp"
#include "harness/fd.hpp"
#include "harness/temp_dir.hpp"

namespace baton::harness {

struct Notification {
  pid_t sender = 0;
  std::string text;                          // one assignment per line

  bool says(const std::string& assignment) const;
  std::optional<std::string> value(const std::string& variable) const;
};
inline void PrintTo(const Notification& message, std::ostream* out) {
  *out << "from " << message.sender << ":\n" << message.text;
}

class NotifySocket {
 public:
  // In its own directory, or in the abstract namespace.
  enum class Kind { path, abstract };
  explicit NotifySocket(Kind kind = Kind::path);

  // The value of NOTIFY_SOCKET.
  const std::string& address() const { return address_; }

  // The next message, in the order of sending.
  Notification next(Milliseconds limit = wait_max);
  // The next message with this assignment; earlier ones are skipped.
  Notification next_that_says(const std::string& assignment);
  // Whether a message is there already.
  bool has_more() const;
  // Fills the queue, which is not read, until it is full.
  void fill() const;

 private:
  TempDir directory_;
  std::string address_;
  Fd socket_;
};

}  // namespace baton::harness
