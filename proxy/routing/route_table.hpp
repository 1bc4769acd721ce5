// Which route a request takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/routing/gate.hpp"
#include "proxy/routing/nested_texts.hpp"
#include "proxy/routing/rules.hpp"
#include "proxy/routing/rewrite.hpp"

namespace baton::routing {

// What the keys of a route say, ready for the data path.
struct Route {
  std::string name;  // in logs and metrics
  std::string upstream;
  std::size_t upstream_index = 0;  // in Config::upstreams; its size: `gate` answers every request
  std::shared_ptr<const Gate> gate{};  // nullptr: every request goes to the upstream
  std::shared_ptr<const Rewrite> rewrite;  // null: requests and responses pass unchanged
  config::Position where;
  Rules rules;                        // complete: the global ones where the route has none of its own
  std::vector<std::string> upgrades;  // protocols of Upgrade that pass

  // Whether a request to upgrade to `protocol` is forwarded as such. A protocol that is listed without a version passes
  // in every version.
  bool passes_upgrade_to(std::string_view protocol) const;
};

// The routes of a configuration, prepared for the data path. Immutable; may be copied. Among the routes that match, the
// most specific host wins (named, then the longest wildcard, then none), then the most specific path (exact, then the
// longest prefix, then none), then the first in the file.
class RouteTable {
 public:
  RouteTable() = default;  // no route
  explicit RouteTable(const config::Config& config, const Files& files = {});

  // nullptr: no route matches. `host` is that of the request, with its port if any; `target` is in any form of RFC 9112
  // §3.2, and the host of an absolute-form one replaces `host` (§3.2.2). Accepts any bytes: no route names an invalid
  // host, and only routes without a path match what is no path (`*`). The route lives as long as the table.
  const Route* find(std::string_view host, std::string_view target) const {
    if (takes_all_) return routes_.data();
    return find_among_many(host, target);
  }

  // nullptr: no route has that name.
  const Route* named(std::string_view name) const;

  // nullptr: answers of ours with this status have no page of their own.
  const Answer* error_page(std::uint16_t status) const {
    const auto found = error_pages_.find(status);
    return found != error_pages_.end() ? &found->second : nullptr;
  }

  // Only while it is switched on.
  const Maintenance& maintenance() const { return maintenance_; }

  // In file order.
  const std::vector<Route>& routes() const { return routes_; }

  // The same as `find`, with the reason.
  struct Reason {
    const Route* route = nullptr;
    std::string host;       // of the request, as matched; empty: none named
    std::string path;       // of the request, as matched
    std::string host_rule;  // from `Match::hosts`; empty: the route matches every host
    std::string path_rule;  // from `Match::path` or `path_prefix`; empty: the route matches every path
    bool is_prefix = false;
  };
  Reason explain(std::string_view host, std::string_view target) const;

 private:
  using Index = std::uint32_t;
  static constexpr Index none = UINT32_MAX;

  // The first routes in the file with one path, exact and as a prefix.
  struct AtPath {
    Index exact = none;
    Index prefix = none;
  };
  // The routes with one host.
  struct AtHost {
    NestedTexts<AtPath> paths;
    Index any_path = none;
  };
  struct Draft;
  struct Found;

  const Route* find_among_many(std::string_view host, std::string_view target) const;
  // `host` is reversed; an empty path means none.
  Found search(std::string_view host, std::string_view path) const;

  bool takes_all_ = false;  // there is only one route, without a match
  bool has_paths_ = false;
  std::vector<Route> routes_;
  std::vector<Index> by_name_;
  // By reversed host: `moc.elpmaxe` and, for all below it, `moc.elpmaxe.`.
  NestedTexts<AtHost> hosts_;
  AtHost any_host_;
  ErrorPages error_pages_;
  Maintenance maintenance_;
};

}  // namespace baton::routing
