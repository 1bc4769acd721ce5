// `baton ctl COMMAND`: says it to the running Baton over its admin interface, and shows what comes of it.
#pragma once

#include <string>

#include "config/load.hpp"

namespace baton::ctl {

struct Options {
  std::string command;  // status, upgrade, reload, rollback, drain, stop, reopen-logs or healthcheck
  std::string admin;    // empty: admin_address.hpp finds it
  std::string config;
  std::string binary;  // upgrade: what to start; empty: what the running one was started from
  bool undo = false;   // drain
  bool json = false;
};

// What it has to say goes to standard output, and why something failed to standard error. 0: done; 1: failed, unhealthy
// or rolled back; 2: an address that is none.
int run(const Options& options, const std::string& default_config, config::Environment environment);

}  // namespace baton::ctl
