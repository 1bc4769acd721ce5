// Everything that the page shows at one moment, and its text (JSON).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "demo/nginx_beside.hpp"
#include "demo/tally.hpp"

namespace baton::demo {

struct PageEvent {
  enum class Kind : std::uint8_t { upgrade, came_back, failed };
  Kind kind = Kind::upgrade;
  std::string colour;  // of the version that serves afterwards
  std::string heading;
  std::string detail;
};

struct PageView {
  std::string doing;
  bool busy = false;                // an upgrade is running
  double next_upgrade_seconds = 0;  // unless the Upgrade button starts one earlier
  std::string colour;               // of the version that serves
  std::string version;
  pid_t pid = 0;
  std::uint64_t generation = 0;
  unsigned clients_wanted = 0;
  Totals clients;
  std::uint64_t live = 0;  // of their connections
  std::uint64_t dropped_by_pages = 0;
  double requests_per_second = 0;
  unsigned requests_per_second_wanted = 0;
  Microseconds p99{};
  std::string few_clients;  // why there are fewer than wanted; empty: there are not
  std::string shortfall;    // how the load falls short of the promised one; empty: it does not
  std::uint64_t upgrades = 0;
  std::uint64_t came_back = 0;   // failing upgrades
  std::deque<PageEvent> events;  // the last ones, the last first
  std::optional<BesideView> nginx;
  std::string no_nginx;  // why there is none
  std::string verdict;   // empty: the demo goes on
  bool passed = false;

  // Connections of ours or of pages that saw an error or an end.
  std::uint64_t dropped() const;
};

std::string to_json(const PageView& view);

}  // namespace baton::demo
