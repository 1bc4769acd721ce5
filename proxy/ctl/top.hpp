// `baton ctl top`: what runs, in a terminal, as it changes.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace baton::ctl {

// Until the user ends it, or, `once` or without a terminal, one frame as plain text. The first reachable address is
// asked. Calls itself off with an error only if nobody answers at first, or it is not Baton.
std::expected<void, std::string> top(const std::vector<config::Address>& addresses, bool once);

}  // namespace baton::ctl
