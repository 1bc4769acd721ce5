// `health`: the instance probes its servers and tells what becomes of them. Runs in the main thread; probes have a
// thread of their own. What is found out is in the servers' standings, which the workers read and an upgrade carries
// over.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "proxy/health/probe_run.hpp"
#include "proxy/health/prober.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/main_thread.hpp"
#include "proxy/server/role.hpp"

namespace baton::proxy {

class HealthWatch {
 public:
  struct Parts {  // all outlive it
    const MainThread& main;
    const Role& role;
    DataPath& data_path;
  };
  HealthWatch(boost::asio::io_context& context, Parts parts) : parts_(parts), timer_(context) {}

  // Watches the servers of the current settings from now on.
  void watch();
  // Ends the prober's thread.
  void end() { prober_ = nullptr; }

 private:
  using Clock = std::chrono::steady_clock;
  // A server that is probed.
  struct Probed {
    std::shared_ptr<upstream::Standing> standing;
    health::Target target;
    Clock::time_point due;
    std::uint64_t probe = 0;  // under way; 0: none
    health::ProbeRun run;
  };

  bool probes() const;
  void look_later();
  void look();
  // What the configuration does not ask for must not count any more.
  void drop_verdicts();
  void tell_of_readmitted(std::int64_t now_ms);
  void begin_due();
  void probed(std::uint64_t id, const health::Prober::Result& result);
  static void apply(const Probed& probed, state::Health verdict, const health::Prober::Result& result);

  const Parts parts_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<const Settings> watched_;
  bool has_any_ = false;      // some upstream has `health`
  bool was_serving_ = false;  // at the last look
  std::int64_t looked_ms_ = 0;  // when that was
  std::map<const upstream::Standing*, Probed> probed_;
  std::set<std::shared_ptr<upstream::Standing>> ejected_;  // those that will be told of when they are back
  std::uint64_t last_probe_ = 0;
  std::minstd_rand random_{std::random_device()()};
  std::unique_ptr<health::Prober> prober_;  // once there is something to probe
};

}  // namespace baton::proxy
