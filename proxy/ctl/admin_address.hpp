// Where the admin interface of the running Baton is.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/load.hpp"

namespace baton::ctl {

struct Whereabouts {
  std::string admin;           // as given on the command line; empty: not given
  std::string config;          // a configuration file, likewise
  std::string default_config;  // read if there is such a file
};

// What is given on the command line; else the addresses in `admin.bind` of the configuration file, in its order; else the
// default in the runtime directory. At least one. The rest of the file is not looked at: it may be wrong, and a running
// Baton may be asked about that, or need an environment that is not ours. An error is a text for people.
std::expected<std::vector<config::Address>, std::string> find_admin(const Whereabouts& whereabouts,
                                                                    config::Environment environment);

// Of these the ones to be tried, in this order. Commands are taken on Unix sockets only, questions anywhere; where there is
// no Unix socket, the first address will say so.
std::vector<config::Address> for_commands(const std::vector<config::Address>& addresses);
std::vector<config::Address> for_questions(const std::vector<config::Address>& addresses);

}  // namespace baton::ctl
