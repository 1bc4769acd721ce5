// SIGHUP and `ctl reload`: the configuration is replaced whole or not at all. Everything that can fail is done before
// anything changes. Runs in the main thread; names are looked up and disks read off that thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/server/background.hpp"
#include "proxy/server/certificate_watch.hpp"
#include "proxy/server/data_path.hpp"
#include "proxy/server/generation.hpp"
#include "proxy/server/health_watch.hpp"
#include "proxy/server/instance.hpp"
#include "proxy/server/name_watch.hpp"
#include "proxy/server/role.hpp"
#include "proxy/server/service_manager.hpp"
#include "proxy/server/supervision.hpp"

namespace baton::proxy {

// A configuration as read: checked, and as a single text with everything resolved.
struct LoadedConfiguration {
  config::Config config;
  std::string text;
};

// Reads the configuration again; an error is a text for people, one line per problem.
using LoadConfiguration = std::function<std::expected<LoadedConfiguration, std::string>()>;

class Reloads {
 public:
  struct Parts {  // all outlive it
    const Role& role;
    DataPath& data_path;
    Instance& instance;
    Generation& generation;
    ServiceManager& manager;
    Supervision& supervision;
    CertificateWatch& certificates;
    NameWatch& names;
    HealthWatch& health;
    Background& background;
  };
  // What was done, or why nothing was done: a text for people, which is also logged.
  using Outcome = std::expected<std::string, std::string>;
  using Answer = std::function<void(const Outcome&)>;

  Reloads(boost::asio::io_context& context, Parts parts, LoadConfiguration load)
      : parts_(parts), load_(std::move(load)), slow_(context) {}

  void begin(Answer answer = [](const Outcome&) {});
  // Called when something else decides what is served, and by whom. Returns true if a reload was under way.
  bool drop(const std::string& why);
  bool is_under_way() const { return under_way_ != nullptr; }
  bool has_last_succeeded() const { return has_last_succeeded_; }

 private:
  // The clients that asked for it, and those that asked later, when the file may already have been read.
  struct Reload {
    std::vector<Answer> asked;
    std::vector<Answer> asked_since;
    std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();

    std::int64_t seconds() const;
  };
  // The parts of it that may take long.
  struct Prepared {
    std::shared_ptr<const Settings> settings;
    std::vector<WantedSocket> listeners;
    std::shared_ptr<access_log::AccessLog> access_log;
    std::string text;
  };
  static std::expected<Prepared, std::string> prepare(const LoadConfiguration& load, const Settings& now);

  void carry_out(std::shared_ptr<Reload> reload);
  void tell_when_slow();
  void end(std::expected<Prepared, std::string> prepared);
  Outcome take(Prepared prepared);
  void apply(Prepared prepared, std::vector<BoundSocket> sockets);

  const Parts parts_;
  const LoadConfiguration load_;
  std::shared_ptr<Reload> under_way_;
  boost::asio::steady_timer slow_;  // runs as long as that does
  bool has_last_succeeded_ = true;
};

}  // namespace baton::proxy
