// What an instance passes on of a route.
#pragma once

#include <cstdint>
#include <string>

namespace baton::state {

struct RouteRecord {
  std::string name;
  std::uint64_t requests_total = 0;  // over all generations
  std::uint64_t failures_total = 0;
  bool operator==(const RouteRecord&) const = default;
};

}  // namespace baton::state
