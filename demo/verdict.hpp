// Turns the counts into pass or fail. Pure, so that every way to fail can be tested.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "demo/canary.hpp"
#include "demo/crash.hpp"
#include "demo/tally.hpp"
#include "demo/upgrade.hpp"

namespace baton::demo {

// What only a demo with a plan must have: so many upgrades, a crash, a canary, and no connections but its own.
struct Plan {
  unsigned upgrades_wanted = 0;
  std::optional<Crash> crash;
  std::optional<Canary> canary;
  std::uint64_t accepted = 0;  // connections, by all the proxy's processes together
};

struct Evidence {
  std::optional<Plan> plan;  // nothing: visitors of the page decide
  std::vector<Upgrade> upgrades;
  TotalsByGroup clients;           // after every client has ended
  std::string broken_off;          // why the demo ended early; empty: it did not
  std::string bad_end;             // what was wrong with the proxy's exit; empty: nothing
  std::vector<std::string> other;  // what else is held against the proxy, one sentence each
};

// All evidence against the proxy, one sentence each. Empty: it has passed.
std::vector<std::string> objections(const Evidence& evidence);

}  // namespace baton::demo
