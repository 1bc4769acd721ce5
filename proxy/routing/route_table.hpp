// Which route a request takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/routing/nested_texts.hpp"

namespace baton::routing {

struct Route {
  std::string name;  // in logs and metrics
  std::string upstream;
  std::size_t upstream_index = 0;  // in Config::upstreams
  config::Position where;
};

// The routes of a configuration, made ready for the data path. Immutable; may be copied. Of the routes that match, the
// one with the most specific host is taken (named, then the longest wildcard, then none), among those the one with the
// most specific path (itself, then the longest prefix, then none), and among those the first of the file.
class RouteTable {
 public:
  RouteTable() = default;  // no route
  explicit RouteTable(const config::Config& config);

  // nullptr: none takes it. `host` is that of the request, with its port if it has one; `target` is in any of the forms
  // of RFC 9112 §3.2, and the host of an absolute one counts instead of `host` (§3.2.2). Any bytes are taken: what is
  // no host is not named by any route, and what is no path (`*`) is taken only by routes without one. The route lives
  // as long as the table.
  const Route* find(std::string_view host, std::string_view target) const {
    if (takes_all_) return routes_.data();
    return find_among_many(host, target);
  }

  // nullptr: there is none of that name.
  const Route* named(std::string_view name) const;

  // In the order of the file.
  const std::vector<Route>& routes() const { return routes_; }
  // That of the requests which no other takes. nullptr: there is none.
  const Route* default_route() const;

  // The same as `find`, and why.
  struct Reason {
    const Route* route = nullptr;
    std::string host;       // of the request as it is matched; empty: it names none
    std::string path;       // likewise
    std::string host_rule;  // `Match::hosts` has it; empty: the route takes every host
    std::string path_rule;  // `Match::path` or `path_prefix`; empty: the route takes every path
    bool is_prefix = false;
  };
  Reason explain(std::string_view host, std::string_view target) const;

 private:
  using Index = std::uint32_t;
  static constexpr Index none = UINT32_MAX;

  // The first routes of the file that have one path, as such and as a prefix.
  struct AtPath {
    Index exact = none;
    Index prefix = none;
  };
  // Those that have one host.
  struct AtHost {
    NestedTexts<AtPath> paths;
    Index any_path = none;
  };
  struct Draft;
  struct Found;

  const Route* find_among_many(std::string_view host, std::string_view target) const;
  // `host` is written backwards, and an empty path is none.
  Found search(std::string_view host, std::string_view path) const;

  bool takes_all_ = false;  // the only route there is, without a match
  bool has_paths_ = false;
  std::vector<Route> routes_;
  std::vector<Index> by_name_;
  // By hosts written backwards: `moc.elpmaxe` and, for all below it, `moc.elpmaxe.`.
  NestedTexts<AtHost> hosts_;
  AtHost any_host_;
};

}  // namespace baton::routing
