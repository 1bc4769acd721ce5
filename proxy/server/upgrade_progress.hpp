// How far an upgrade has come: the steps that it has reached, and what is told of it, as lines, some periodic, and then
// the result. They go to the clients that requested the upgrade or its cancellation, if any, and to the event streams.
// Runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/admin/admin.hpp"

namespace baton::proxy {

class UpgradeProgress {
 public:
  using Watcher = std::function<void(const std::string& line)>;

  // The upgrade begins now. `context` outlives this. `connections` counts those that are still here. `client` and
  // `watcher` may be empty.
  UpgradeProgress(boost::asio::io_context& context, std::function<std::uint64_t()> connections, admin::LineSink client,
                  Watcher watcher = {});

  // What the upgrade has come to now. Once for each step.
  void reach(const char* step);
  // With when it began, and the steps up to now.
  admin::LastUpgrade recorded(std::string result, std::string reason, handoff::Report report) const;

  void add(admin::LineSink client) { clients_.push_back(std::move(client)); }
  void tell(const std::string& line);
  // Reports the progress, now and periodically.
  void tell_periodically();
  void begin_moving();
  void tell_result(const admin::LastUpgrade& result);

 private:
  const std::function<std::uint64_t()> connections_;
  boost::asio::steady_timer timer_;
  std::vector<admin::LineSink> clients_;
  const Watcher watcher_;
  const std::int64_t began_unix_ms_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::vector<state::UpgradeStep> steps_{{"started", 0}};
  std::optional<std::uint64_t> connections_to_move_;  // when they began to move
  // The handler of a timer that has expired comes even after this has gone.
  const std::shared_ptr<const bool> is_here_ = std::make_shared<const bool>(true);
};

}  // namespace baton::proxy
