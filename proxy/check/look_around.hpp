// What a valid configuration would run into on this machine now, found without starting anything.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "config/load.hpp"

namespace baton::check {

struct Options {
  std::chrono::milliseconds names_limit{5'000};  // for all host names together
  // Called about once a second with what it is waiting for.
  std::function<void(const std::string& what)> waiting = [](const std::string&) {};
};

// In file order: hosts that do not resolve, folders that are missing or not writable, addresses that others listen on
// (but not the running Baton of this very configuration), certificates that have expired or will soon, and more
// connections than the limit of open files allows. Binds addresses for a moment and connects to Unix sockets; changes
// nothing.
config::Problems look_around(const config::Config& config, const Options& options = {});

}  // namespace baton::check
