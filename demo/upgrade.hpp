// A live upgrade as seen from outside, with the successor's report.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "demo/latency.hpp"
#include "demo/status.hpp"

namespace baton::demo {

struct Upgrade {
  std::uint64_t from_generation = 0;
  pid_t from_pid = 0;
  pid_t to_pid = 0;       // 0: no successor took over
  UpgradeReport report;   // meaningless after a failure
  LatencySpread latency;  // of the clients, from the signal until the old process exited
  std::string failure;    // empty: the old process ended with 0 and the successor serves
};

// One that was meant to fail.
struct FailedUpgrade {
  pid_t pid = 0;                  // of the process that goes on
  std::uint64_t connections = 0;  // that it has afterwards
  UpgradeReport report;           // its own, with the reason
  std::string failure;            // empty: it failed as it was meant to, and the same process serves
};

}  // namespace baton::demo
