// Turns the counts into pass or fail. Pure, so that every way to fail can be tested.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "demo/crash.hpp"
#include "demo/tally.hpp"
#include "demo/upgrade.hpp"

namespace baton::demo {

struct Evidence {
  unsigned upgrades_wanted = 0;
  std::vector<Upgrade> upgrades;
  std::optional<Crash> crash;
  TotalsByGroup clients;       // after every client has ended
  std::uint64_t accepted = 0;  // connections, by all the proxy's processes together
  std::string broken_off;      // why the demo ended early; empty: it did not
  std::string bad_end;         // what was wrong with the proxy's exit; empty: nothing
};

// All evidence against the proxy, one sentence each. Empty: it has passed.
std::vector<std::string> objections(const Evidence& evidence);

}  // namespace baton::demo
