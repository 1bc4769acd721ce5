// What is sent to the clients that requested an upgrade or its cancellation: progress lines, some periodic, and the
// result. There may be no such client. Runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

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
  // `context` outlives it. `connections` counts those that are still here. `client` may be empty.
  UpgradeProgress(boost::asio::io_context& context, std::function<std::uint64_t()> connections,
                  admin::LineSink client);

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
  std::optional<std::uint64_t> connections_to_move_;  // when they began to move
  // The handler of a timer that has expired comes even after this has gone.
  const std::shared_ptr<const bool> is_here_ = std::make_shared<const bool>(true);
};

}  // namespace baton::proxy
