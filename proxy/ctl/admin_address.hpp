// Where the admin interface of the running Baton is.
#pragma once

#include <expected>
#include <string>

#include "config/config.hpp"
#include "config/load.hpp"

namespace baton::ctl {

struct Whereabouts {
  std::string admin;           // as given on the command line; empty: not given
  std::string config;          // a configuration file, likewise
  std::string default_config;  // read if there is such a file
};

// What is given on the command line; else `admin.bind` of the configuration file; else the default in the runtime
// directory. The rest of the file is not looked at: it may be wrong, and a running Baton may be asked about that, or
// need an environment that is not ours. An error is a text for people.
std::expected<config::Address, std::string> find_admin(const Whereabouts& whereabouts, config::Environment environment);

}  // namespace baton::ctl
