// Which route a request takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "proxy/routing/conditions.hpp"
#include "proxy/routing/gate.hpp"
#include "proxy/routing/hashed_texts.hpp"
#include "proxy/routing/nested_texts.hpp"
#include "proxy/routing/request.hpp"
#include "proxy/routing/rewrite.hpp"
#include "proxy/routing/rules.hpp"
#include "proxy/routing/split.hpp"

namespace baton::routing {

// What the keys of a route say, ready for the data path.
struct Route {
  std::string name;  // in logs and metrics
  std::string upstream;            // empty: `split` says where, or `gate` answers every request
  std::size_t upstream_index = 0;  // in Config::upstreams
  std::shared_ptr<const Gate> gate{};      // nullptr: every request goes to an upstream
  std::shared_ptr<const Rewrite> rewrite;  // null: requests and responses pass unchanged
  config::Position where;
  Rules rules;                        // complete: the global ones where the route has none of its own
  std::vector<std::string> upgrades;  // protocols of Upgrade that pass
  std::vector<Share> split;           // empty: there is one upstream

  // Whether a request to upgrade to `protocol` is forwarded as such. A protocol that is listed without a version passes
  // in every version.
  bool passes_upgrade_to(std::string_view protocol) const;
};

// The routes of a configuration, prepared for the data path. Immutable; may be copied. Among the routes that match, the
// most specific host wins (named, then the longest wildcard, then none), then the most specific path (exact, then the
// longest prefix, then a regular expression, then none), then the one with the most other conditions, then the first in
// the file.
class RouteTable {
 public:
  RouteTable() = default;  // no route
  // `rates`: where requests are counted; null: nowhere.
  explicit RouteTable(const config::Config& config, const Files& files = {},
                      const std::shared_ptr<const rates::Table>& rates = nullptr);

  // nullptr: no route matches. Accepts any bytes: no route names an invalid host, and only routes without a path match
  // what is no path (`*`). The route lives as long as the table.
  const Route* find(const Request& request, Scratch& scratch) const {
    if (takes_all_) return routes_.data();
    return find_among_many(request, scratch);
  }
  // For a request of which nothing else is known.
  const Route* find(std::string_view host, std::string_view target) const {
    Scratch scratch;
    return find({host, target}, scratch);
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

  // Of every request, also of those without a route.
  const RateLimits& rates_of_all() const { return rates_of_all_; }

  // In file order.
  const std::vector<Route>& routes() const { return routes_; }
  std::size_t index_of(const Route& route) const { return static_cast<std::size_t>(&route - routes_.data()); }

  // The same as `find`, with the reason.
  struct Reason {
    const Route* route = nullptr;
    std::string host;       // of the request, as matched; empty: none named
    std::string path;       // of the request, as matched
    std::string host_rule;  // from `Match::hosts`; empty: the route matches every host
    std::string path_rule;  // from `Match::path`, `path_prefix` or `path_regex`; empty: the route matches every path
    bool is_prefix = false;
    bool is_regex = false;
    std::vector<const Route*> passed_over;  // more specific, but the request lacks one of their other conditions
  };
  Reason explain(const Request& request) const;
  Reason explain(std::string_view host, std::string_view target) const { return explain({host, target}); }

  // A route that is never taken, because `by` goes first wherever it matches and takes every request that it takes.
  struct Shadowed {
    const Route* route;
    const Route* by;
  };
  // `config` is that of the table.
  std::vector<Shadowed> shadowed(const config::Config& config) const;

 private:
  using Index = std::uint32_t;
  static constexpr Index none = UINT32_MAX;

  // Routes with the same host and path, in the order in which they are tried: a part of `choices_`.
  struct Choices {
    Index begin = 0;
    Index end = 0;
  };
  struct Choice {
    Index route;
    Index conditions;  // in `conditions_`; none: it takes every request
  };
  // The routes with one host.
  struct AtHost {
    HashedTexts<Choices> paths;
    NestedTexts<Choices> prefixes;
    Choices regexes;
    Choices any_path;
  };
  struct Draft;
  struct Found;

  const Route* find_among_many(const Request& request, Scratch& scratch) const;
  // An empty path means none. In `found`, texts are views of `host` and `path` or of the table's own.
  void search(std::string_view host, std::string_view path, Asking& asking, Found& found) const;
  bool search_below(std::string_view host, std::string_view path, Asking& asking, Found& found) const;
  bool search_at(const AtHost& at, std::string_view path, Asking& asking, Found& found) const;
  // The first whose conditions the request meets.
  Index choose(Choices among, Asking& asking, Found& found) const {
    if (among.begin != among.end && choices_[among.begin].conditions == none) return choices_[among.begin].route;
    return choose_by_conditions(among, asking, found);
  }
  Index choose_by_conditions(Choices among, Asking& asking, Found& found) const;

  bool takes_all_ = false;  // there is only one route, without a match
  bool has_paths_ = false;
  bool has_regexes_ = false;
  std::vector<Route> routes_;
  std::vector<Index> by_name_;
  std::vector<Choice> choices_;
  std::vector<Conditions> conditions_;
  Conditioned tests_;
  TextHash hash_;
  HashedTexts<AtHost> hosts_;
  NestedTexts<AtHost> wildcards_;  // reversed: `moc.elpmaxe.`
  AtHost any_host_;
  ErrorPages error_pages_;
  Maintenance maintenance_;
  RateLimits rates_of_all_;
};

}  // namespace baton::routing
