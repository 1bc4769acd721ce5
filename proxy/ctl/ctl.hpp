// `baton ctl COMMAND`: sends it to the running Baton over its admin interface and shows the outcome.
#pragma once

#include <optional>
#include <string>

#include "config/load.hpp"

namespace baton::ctl {

struct Options {
  std::string command;  // status, upgrade, reload, apply, config, promote, rollback, drain, maintenance, stop, servers,
                        // server, top, reopen-logs or healthcheck
  std::string admin;    // empty: admin_address.hpp finds it
  std::string config;
  std::string binary;  // for upgrade: what to start; empty: what the running one was started from
  bool from_file = false;  // for upgrade: leave an applied configuration
  // For upgrade and reload: the share of the clients that tries it first, or `off` for an upgrade without the
  // configured canary; and how long, if not as usual.
  std::optional<std::string> canary = {}, bake = {}, max = {};
  std::string file;        // for apply: the configuration; "-": standard input
  bool dry_run = false;    // for apply
  bool undo = false;   // for drain
  bool on = false;     // for maintenance
  std::string server;  // for server: UPSTREAM/ADDRESS
  std::string order;   // and what to do: up, drain, down or weight
  unsigned weight = 0;
  bool once = false;  // for top
  bool json = false;
  std::string token = {};  // for commands over TCP; `run` takes it from the environment
};

// Results go to standard output, reasons for failures to standard error. Returns 0: done; 1: failed, unhealthy or
// rolled back; 2: an invalid address or option.
int run(const Options& given, const std::string& default_config, config::Environment environment);

}  // namespace baton::ctl
