// The proxy under test: a supervised baton with its own configuration, started as a child and upgraded as an operator
// would do it, by SIGUSR2 to the process in the PID file, its parent. The demo knows only its files, its log and its
// admin socket.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "demo/certificate.hpp"
#include "demo/crash.hpp"
#include "demo/entrances.hpp"
#include "demo/origin.hpp"
#include "demo/patience.hpp"
#include "demo/proxy_configuration.hpp"
#include "demo/status.hpp"
#include "demo/temp_dir.hpp"
#include "demo/upgrade.hpp"

namespace baton::demo {

// The proxy misbehaved; what() is one sentence for humans.
class ProxyFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What an upgrade leads to: a program, and the name by which its answers to the page are known.
struct Version {
  std::string colour;
  std::string binary;
};

class Proxy {
 public:
  // Writes the configuration and the origin's certificate, which the proxy also uses, into `dir` and starts `binary`.
  // `dir` and `patience` must outlive it.
  Proxy(std::string binary, const Origin& origin, const TempDir& dir, Patience& patience,
        const std::optional<PageDoors>& page = std::nullopt);

  const Endpoints& endpoints() const { return settings_.listen; }
  std::string log() const { return dir_.file("baton.log"); }

  // Returns when the proxy reports that it is ready; throws ProxyFailed.
  void await_ready(std::chrono::milliseconds limit);

  // Asks the running process; throws ProxyFailed when it does not answer.
  Status status();

  // One live upgrade. The result reports a failure: no successor, or a wrong one.
  Upgrade upgrade(std::chrono::milliseconds limit);

  // The same to another version, by `baton ctl upgrade`. Only for a proxy with a page.
  Upgrade upgrade_to(const Version& version, std::chrono::milliseconds limit);

  // An upgrade whose new process cannot listen on all of its addresses.
  FailedUpgrade fail_upgrade_to(const Version& version, std::chrono::milliseconds limit);

  // An upgrade that a share of the clients tries first: its new process fails some requests (Faulty), and must be
  // called back. That is decided within `canary_decided_within`; all else has `limit`.
  FailedUpgrade try_canary(std::chrono::milliseconds limit);
  static constexpr unsigned canary_share_percent = 20;
  static constexpr std::chrono::seconds canary_decided_within{60};

  // Kills the serving process by SIGKILL. The result reports a failure: no successor, or a wrong one.
  Crash kill(std::chrono::milliseconds limit);

  // Stops it by SIGTERM; returns what was wrong with its exit, or an empty string.
  std::string stop(std::chrono::milliseconds limit);

  // The process that served last, as far as we know, and its generation.
  pid_t pid() const { return pid_; }
  std::uint64_t generation() const { return generation_; }

  // Connections accepted by all processes together, as of the last query: each process continues its predecessor's
  // count. What a killed one had not told anybody is added.
  std::uint64_t accepted() const { return accepted_; }

 private:
  void write_configuration() const;
  // Returns whether it succeeded. Throws ProxyFailed if it does not end.
  bool ctl_upgrade(const std::vector<std::string>& options, std::chrono::milliseconds limit);
  FailedUpgrade failed_as_meant(const Status& before, bool completed);
  Upgrade watch_upgrade(const Status& before, std::chrono::milliseconds limit);
  std::optional<Status> try_status() const;
  std::optional<pid_t> read_pid_file() const;
  std::string complaint_about_successor(const Upgrade& upgrade) const;
  std::string complaint_about_parent();
  bool is_instance_for_its_parent(pid_t pid) const;
  void note(const Status& status);

  const TempDir& dir_;  // outlives the proxy
  Patience& patience_;  // outlives the proxy
  ProxySettings settings_;
  std::string binary_;
  pid_t parent_ = 0;
  pid_t pid_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t accepted_untold_ = 0;
};

// Loopback ports that are free at the moment.
Endpoints free_endpoints();

}  // namespace baton::demo
