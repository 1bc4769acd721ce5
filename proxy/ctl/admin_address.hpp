// Finds the admin interface of the running Baton.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/load.hpp"

namespace baton::ctl {

struct Whereabouts {
  std::string admin;           // as given on the command line; empty: not given
  std::string config;          // a configuration file, as given on the command line; empty: not given
  std::string default_config;  // read if it exists
};

// The address from the command line; else the addresses in `admin.bind` of the configuration file, in its order; else
// the default in the runtime directory. At least one. The rest of the file is ignored: it may be invalid, which a
// running Baton may be asked about, or need an environment that is not ours. An error is a text for people.
std::expected<std::vector<config::Address>, std::string> find_admin(const Whereabouts& whereabouts,
                                                                    config::Environment environment);

// The addresses to try, in this order. Commands are accepted only on Unix sockets, questions anywhere; if there is no
// Unix socket, the first address will report that.
std::vector<config::Address> for_commands(const std::vector<config::Address>& addresses);
std::vector<config::Address> for_questions(const std::vector<config::Address>& addresses);

}  // namespace baton::ctl
