// What the service manager is told: one datagram to NOTIFY_SOCKET for each message, as sd_notify(3) describes. Nothing
// here waits, and what cannot be sent ends nothing.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <system_error>

#include "handoff/unique_fd.hpp"

namespace baton::process {

class Notifier {
 public:
  Notifier() = default;                      // nobody is to be told
  // From NOTIFY_SOCKET (a path, or an abstract address that begins with '@'), WATCHDOG_USEC and WATCHDOG_PID. They stay
  // in the environment for a successor; only a watchdog that is meant for another process is removed from it.
  static Notifier from_environment();

  explicit operator bool() const { return !address_.empty(); }
  const std::string& address() const { return address_; }

  // `message` is one assignment on each line. An error when it could not be sent at once.
  std::error_code send(std::string_view message) const;

  // The time within which WATCHDOG=1 must come again and again; 0: nobody waits for it.
  std::chrono::microseconds watchdog() const { return watchdog_; }

 private:
  std::string address_;                      // empty: nobody is to be told
  handoff::UniqueFd socket_;
  std::chrono::microseconds watchdog_{0};
};

// "STATUS=" and the text as the service manager accepts it: one line, UTF-8, not long.
std::string status_assignment(std::string_view text);

}  // namespace baton::process
