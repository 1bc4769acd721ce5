// Messages to the service manager: one datagram to NOTIFY_SOCKET each, as sd_notify(3) describes. Nothing here waits,
// and a message that cannot be sent ends nothing.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <system_error>

#include "handoff/unique_fd.hpp"

namespace baton::process {

class Notifier {
 public:
  Notifier() = default;                      // has no service manager
  // From NOTIFY_SOCKET (a path, or an abstract address that begins with '@'), WATCHDOG_USEC and WATCHDOG_PID. They stay
  // in the environment for a successor; only a watchdog meant for another process is removed from it.
  static Notifier from_environment();

  explicit operator bool() const { return !address_.empty(); }
  const std::string& address() const { return address_; }

  // `message` has one assignment per line. An error if it could not be sent at once.
  std::error_code send(std::string_view message) const;

  // The interval within which WATCHDOG=1 must be repeated; 0: there is no watchdog.
  std::chrono::microseconds watchdog() const { return watchdog_; }

 private:
  std::string address_;                      // empty: no service manager
  handoff::UniqueFd socket_;
  std::chrono::microseconds watchdog_{0};
};

// "STATUS=" and the text in a form the service manager accepts: one line, UTF-8, not long.
std::string status_assignment(std::string_view text);

}  // namespace baton::process
