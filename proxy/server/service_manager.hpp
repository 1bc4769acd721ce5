// What systemd hears from this process, and what it gave us before our start. Only the instance speaks, and the
// predecessor when its successor is the instance. Everything here happens in the main thread.
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
  // `context` runs the main thread's events. It, and the workers of `serving`, outlive this.
  // `supervised`: the main process is another one, and stays it.
  ServiceManager(boost::asio::io_context& context, process::Notifier notifier, bool supervised);

  // We are the instance: ready, and the watchdog is fed from now on. `main_pid` when we were not the one before.
  void serving(Workers& workers, const std::string& status, std::optional<pid_t> main_pid = {});
  // A successor is about to be the instance, and feeds the watchdog in our place.
  void rest();
  // It is; so it may be told of, whatever becomes of us.
  void succeeded_by(pid_t successor);

  void reloading();
  void reloaded();
  void reload_failed(const std::string& why);

  void stopping(const std::string& status);
  // Called again and again while connections are served to their end: as long as that goes on nobody shall lose patience.
  void ask_for_time(std::size_t connections);

 private:
  void tell(const std::string& message);
  void watch_again();
  void ask_workers();

  boost::asio::io_context& context_;
  process::Notifier notifier_;
  const bool supervised_;
  std::error_code last_error_;               // of the message before
  std::string status_;
  std::chrono::steady_clock::time_point next_request_for_time_;

  boost::asio::steady_timer watchdog_timer_;
  Workers* workers_ = nullptr;               // while the watchdog is fed
  std::size_t unanswered_ = 0;               // workers that were asked and are silent yet
};

// The listening sockets of a process: those of a predecessor, and those that were passed, where a listener asks for them.
// Of two with one address the predecessor's is taken: clients wait in its queue. What was passed and is not taken is
// reported and closed. `lent` are addresses of what a service manager passed to a predecessor. Throws as bind_listeners does.
std::vector<BoundSocket> bind_or_take(const std::vector<WantedSocket>& wanted, process::PassedSockets passed,
                                      std::vector<handoff::InheritedSocket> inherited = {},
                                      std::vector<std::string> lent = {});

}  // namespace baton::proxy
