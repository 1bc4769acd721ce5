// A service manager's ear: the socket that NOTIFY_SOCKET names, and every message on it with the process that sent it, as
// the kernel knows it.
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
  std::string text;                          // an assignment on each line

  bool says(const std::string& assignment) const;
  std::optional<std::string> value(const std::string& variable) const;
};
inline void PrintTo(const Notification& message, std::ostream* out) {
  *out << "from " << message.sender << ":\n" << message.text;
}

class NotifySocket {
 public:
  // In a directory of its own, or in the abstract namespace.
  enum class Kind { path, abstract };
  explicit NotifySocket(Kind kind = Kind::path);

  // As NOTIFY_SOCKET has it.
  const std::string& address() const { return address_; }

  // The next message, in the order in which they were sent.
  Notification next(Milliseconds limit = wait_max);
  // The next that says it; what comes before is passed over.
  Notification next_that_says(const std::string& assignment);
  // Whether one is there already.
  bool has_more() const;
  // Fills the queue until it takes no more, which nobody reads.
  void fill() const;

 private:
  TempDir directory_;
  std::string address_;
  Fd socket_;
};

}  // namespace baton::harness
