// What we send to systemd, and what it gave us at startup. Only the instance sends, and the predecessor when its
// successor becomes the instance. Everything here runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "proxy/server/listener.hpp"
#include "proxy/process/activation.hpp"
#include "proxy/process/notify.hpp"
#include "proxy/server/workers.hpp"

namespace baton::proxy {

class ServiceManager {
 public:
  // `context` runs the main thread's events. It and the workers given to `serving` outlive this. `supervised`: another
  // process is the main one and stays so.
  ServiceManager(boost::asio::io_context& context, process::Notifier notifier, bool supervised);

  // We are the instance: reports readiness and feeds the watchdog from now on. `main_pid` is set if another process was
  // the main one before.
  void serving(Workers& workers, const std::string& status, std::optional<pid_t> main_pid = {});
  // A successor is about to become the instance and feeds the watchdog instead of us.
  void rest();
  // The successor is the instance: reports its PID, whatever happens to us.
  void succeeded_by(pid_t successor);

  void reloading();
  void reloaded();
  void reload_failed(const std::string& why);

  void stopping(const std::string& status);
  // Called repeatedly while connections drain: asks for more time, so that the service manager does not time out.
  void ask_for_time(std::size_t connections);

 private:
  void tell(const std::string& message);
  void watch_again();
  void ask_workers();

  boost::asio::io_context& context_;
  process::Notifier notifier_;
  const bool supervised_;
  std::error_code last_error_;               // of the previous message
  std::string status_;
  std::chrono::steady_clock::time_point next_request_for_time_;

  boost::asio::steady_timer watchdog_timer_;
  Workers* workers_ = nullptr;               // set while the watchdog is fed
  std::size_t unanswered_ = 0;               // workers that were asked and have not answered
};

// The listening sockets of a process: a predecessor's, and passed ones that a listener asks for. If both have the same
// address, the predecessor's is taken because clients wait in its queue. Passed sockets that are not taken are reported
// and closed. `lent` are the addresses of sockets that a service manager passed to a predecessor. Throws as
// bind_listeners does.
std::vector<BoundSocket> bind_or_take(const std::vector<WantedSocket>& wanted, process::PassedSockets passed,
                                      std::vector<handoff::InheritedSocket> inherited = {},
                                      std::vector<std::string> lent = {});

}  // namespace baton::proxy
