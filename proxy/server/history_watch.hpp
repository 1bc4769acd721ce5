// The history of the last hour: the instance takes a sample every 10 s. Runs in the main thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>

#include "proxy/server/data_path.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

class HistoryWatch {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    Generation& generation;
    DataPath& data_path;
    Instance& instance;
    Supervision& supervision;
  };
  HistoryWatch(boost::asio::io_context& context, Parts parts) : parts_(parts), timer_(context) {}

  void watch();

 private:
  void look();
  void take(std::int64_t slot_ms, const metrics::Totals& totals);

  const Parts parts_;
  boost::asio::steady_timer timer_;
};

}  // namespace baton::proxy
