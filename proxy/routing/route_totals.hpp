// How many requests each route has had, over all generations of an instance.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "handoff/guarded.hpp"
#include "proxy/routing/route_table.hpp"
#include "proxy/state/route_record.hpp"

namespace baton::routing {

struct RouteCounts {
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;  // of the requests: ended with a 5xx
};

// What one worker counts, for itself.
class RouteTally {
 public:
  // For the routes of this table, which is that of `count` until the next call. Throws std::bad_alloc and then changes
  // nothing.
  void begin(const RouteTable& table) { counts_.assign(table.routes().size(), {}); }
  void count(const RouteTable& table, const Route& route, bool has_failed) {
    RouteCounts& counts = counts_[table.index_of(route)];
    ++counts.requests;
    if (has_failed) ++counts.failures;
  }

 private:
  friend class RouteTotals;
  std::vector<RouteCounts> counts_;
};

// Of a process, by the names of the routes. Any thread.
class RouteTotals {
 public:
  // Adds what was counted for the routes of this table, and counts from nothing again.
  void take(const RouteTable& table, RouteTally& tally);
  // Forgets all routes that this table does not have.
  void keep_only(const RouteTable& table);
  RouteCounts of(std::string_view name);

  // To and from another process, whose totals replace those from before.
  std::vector<state::RouteRecord> save();
  void restore(const std::vector<state::RouteRecord>& records);
  // From one that gives the service back: adds what it has counted since it began with `inherited`.
  void add(const std::vector<state::RouteRecord>& records, const std::vector<state::RouteRecord>& inherited);

 private:
  struct Counted {
    RouteCounts before;  // by earlier generations
    RouteCounts here;
    RouteCounts sum() const { return {before.requests + here.requests, before.failures + here.failures}; }
  };
  handoff::Guarded<std::map<std::string, Counted, std::less<>>> routes_;
};

}  // namespace baton::routing
