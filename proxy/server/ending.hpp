// How a process ends: it drains its connections, within a time limit if there is one. Runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "proxy/server/children.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class Ending {
 public:
  struct Parts {  // all outlive it
    Role& role;
    DataPath& data_path;
    Instance& instance;
    ServiceManager& manager;
    Supervision& supervision;
    Children& children;
    std::function<void(const std::string& why)> drop_reload;
    std::function<void(int code)> exit;
  };
  Ending(boost::asio::io_context& context, Parts parts) : parts_(std::move(parts)), timer_(context) {}

  // As the instance. Without a limit, draining takes as long as the connections do.
  void stop(const char* why, std::optional<std::chrono::milliseconds> limit);
  // On a signal or a command: within timeouts.shutdown, even if a drain with more time is under way.
  void stop_within_limit(const char* why);
  // When another process is the instance: accepts nothing more and serves the connections that could not move until
  // they end, for drain_timeout at most.
  void serve_what_stays(int exit_code);

 private:
  struct UnderWay {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    int exit_code = 0;
  };

  // Ends the process when no connection is left, or at the deadline.
  void watch();
  void exit_when_answered(std::chrono::steady_clock::time_point deadline);

  const Parts parts_;
  boost::asio::steady_timer timer_;
  std::optional<UnderWay> under_way_;
};

}  // namespace baton::proxy
