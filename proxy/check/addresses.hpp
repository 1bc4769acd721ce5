// Finds who listens on an address that a configuration asks for.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "config/config.hpp"
#include "proxy/process/paths.hpp"

namespace baton::check {

class Occupants {
 public:
  // Asks the Baton running with these paths, if any, what it listens on.
  explicit Occupants(const process::Paths& paths);

  // What prevents a listener of this configuration from having the address; nothing if it is free, or the running
  // Baton's.
  std::optional<std::string> in_the_way_of(const config::Address& address) const;

 private:
  bool is_running_ = false;                   // the Baton of these paths
  std::optional<std::set<std::string>> own_;  // what that Baton listens on; none: it does not say
};

}  // namespace baton::check
