// A canary that must be called back, as seen from outside, with its predecessor's report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "demo/askers.hpp"
#include "demo/upgrade.hpp"

namespace baton::demo {

struct Canary {
  FailedUpgrade upgrade;
  std::uint64_t lasting = 0;  // connections that the process that goes on must have again, at least
  AskersView asked;           // at the end
};

// While it is tried, and in plain words afterwards, one line each.
std::string in_short(const AskersView& asked);
std::vector<std::string> describe(const Canary& canary);

}  // namespace baton::demo
