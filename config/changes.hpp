// What differs between two configurations, for people and for programs: by values, not by how they were written.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace baton::config {

struct Change {
  enum class What { listener, route, upstream, server, setting };
  enum class How { added, removed, changed };

  What what = What::setting;
  // Of a listener or an upstream its name, of a route its label, of a server `UPSTREAM/ADDRESS`, of any other setting
  // its path, as in `timeouts.idle`.
  std::string name;
  How how = How::changed;
  // Of a changed listener, route, upstream or server: what in it, as in `health.active.every`. Otherwise empty. `order`
  // means that the same entries are in another order, where that matters.
  std::vector<std::string> keys = {};
  bool operator==(const Change&) const = default;
};

// Listeners first, then routes, upstreams with their servers, and the other settings. Empty: the same configuration.
std::vector<Change> changes(const Config& from, const Config& to);

std::string_view name_of(Change::What what);
std::string_view name_of(Change::How how);

// One line for each, without the last line's end.
std::string text_of(const std::vector<Change>& changes);

}  // namespace baton::config
