#include "proxy/routing/route_table.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>

#include "config/matched_path.hpp"

namespace baton::routing {

namespace {

// A DNS name has at most 253 bytes. The end of a longer one is enough to tell which wildcards match it.
constexpr std::size_t host_bytes_max = 256;

// Lowercases the ASCII letters among eight bytes.
std::uint64_t lowercase(std::uint64_t bytes) {
  constexpr std::uint64_t each = 0x0101010101010101U;
  const std::uint64_t ascii = bytes & (0x7f * each);
  const std::uint64_t from_a = ascii + (0x80 - 'A') * each;  // bit 0x80 of each byte that is not below it
  const std::uint64_t behind_z = ascii + (0x80 - 'Z' - 1) * each;
  return bytes | ((from_a ^ behind_z) & ~bytes & (0x80 * each)) >> 2;
}

// The host of a request, reversed and in lowercase, so that hosts with a common domain begin with it.
class ReversedHost {
 public:
  explicit ReversedHost(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    size_ = std::min(host.size(), host_bytes_max);
    constexpr std::size_t word = sizeof(std::uint64_t);
    const char* const end = host.data() + host.size();
    if (size_ < word) {
      for (std::size_t at = 0; at < size_; ++at)
        bytes_[at] =
            static_cast<char>(lowercase(static_cast<unsigned char>(end[-1 - static_cast<std::ptrdiff_t>(at)])));
      return;
    }
    const auto turn = [&](std::size_t at) {
      std::uint64_t bytes = 0;
      std::memcpy(&bytes, end - at - word, word);
      bytes = std::byteswap(lowercase(bytes));
      std::memcpy(bytes_.data() + at, &bytes, word);
    };
    for (std::size_t at = 0; at < size_ - word; at += word) turn(at);
    turn(size_ - word);  // with some again
  }
  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, host_bytes_max> bytes_;
  std::size_t size_;
};

std::string reversed(std::string_view text) {
  return {text.rbegin(), text.rend()};
}

// An address in brackets in the canonical form of `Match::hosts`; anything else unchanged.
class CanonicalHost {
 public:
  // `authority` must outlive this object.
  explicit CanonicalHost(std::string_view authority) {
    if (!authority.starts_with('[')) {
      text_ = authority.substr(0, authority.find(':'));
      return;
    }
    const std::size_t bytes = std::min(authority.find(']'), authority.size() - 1);
    text_ = authority.substr(0, bytes + 1);
    std::array<char, INET6_ADDRSTRLEN> inner{};
    if (text_.size() < 2 || !text_.ends_with(']') || text_.size() - 2 >= inner.size()) return;
    std::memcpy(inner.data(), text_.data() + 1, text_.size() - 2);
    in6_addr address;
    if (::inet_pton(AF_INET6, inner.data(), &address) != 1) return;
    ::inet_ntop(AF_INET6, &address, v6_.data() + 1, INET6_ADDRSTRLEN);
    const std::size_t written = std::strlen(v6_.data());
    v6_[written] = ']';
    text_ = {v6_.data(), written + 1};
  }
  CanonicalHost(const CanonicalHost&) = delete;
  CanonicalHost& operator=(const CanonicalHost&) = delete;

  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
  std::array<char, INET6_ADDRSTRLEN + 2> v6_{'['};
};

// The parts of a request that decide. The path is empty if the target has none, as in `*`.
struct Asked {
  std::string_view authority;
  std::string_view path;
};

Asked asked_for(std::string_view host, std::string_view target) {
  if (target.starts_with('/')) return {host, target};
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return {host, {}};
  target.remove_prefix(scheme + 3);
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  const std::string_view path = target.substr(end);
  return {target.substr(0, end), path.starts_with('/') ? path : "/"};
}

bool is_below(std::string_view path, std::string_view prefix) {
  return path.size() == prefix.size() || prefix == "/" || path[prefix.size()] == '/';
}

std::shared_ptr<const Rewrite> rewrite_of(const config::Route& route) {
  const bool changes_fields = !route.request_headers.empty() || !route.response_headers.empty();
  if (route.path == config::PathRewrite{} && route.host == config::HostRewrite{} && !changes_fields) return nullptr;
  std::optional<PathSubstitution> substitution;
  if (route.path.regex) substitution.emplace(*route.path.regex);
  return std::make_shared<const Rewrite>(Rewrite{.path = route.path,
                                                 .substitution = std::move(substitution),
                                                 .host = route.host,
                                                 .request = Rewrite::Fields(route.request_headers),
                                                 .response = Rewrite::Fields(route.response_headers)});
}

}  // namespace

// Routes by their place, in file order.
struct RouteTable::Draft {
  using Routes = std::vector<Index>;
  struct Path {
    Routes exact;
    Routes prefix;
  };
  struct Host {
    std::map<std::string, Path> paths;
    Routes regexes;
    Routes any_path;

    void add(const config::Match& match, Index route) {
      Routes& place = !match.path.empty()          ? paths[match.path].exact
                      : !match.path_prefix.empty() ? paths[match.path_prefix].prefix
                      : !match.path_regex.empty()  ? regexes
                                                   : any_path;
      place.push_back(route);
    }
  };

  explicit Draft(const std::vector<config::Route>& of) : routes(of) {}

  void add(const config::Match& match, Index route) {
    if (match.hosts.empty()) any_host.add(match, route);
    for (const std::string& host : match.hosts) {
      hosts[reversed(host.starts_with('*') ? std::string_view(host).substr(1) : host)].add(match, route);
    }
  }
  // Appends them to `choices` in the order in which they are tried.
  Choices finished(Routes from) {
    std::ranges::sort(from, [this](Index a, Index b) {
      const auto of_a = routes[a].match.conditions();
      const auto of_b = routes[b].match.conditions();
      return of_a != of_b ? of_a > of_b : a < b;
    });
    const auto begin = static_cast<Index>(choices.size());
    for (const Index i : from) choices.push_back({i, conditions_of[i]});
    return {begin, static_cast<Index>(choices.size())};
  }
  AtHost finished(Host host) {
    std::map<std::string, AtPath> paths;
    for (auto& [path, at] : host.paths) {
      const Choices exact = finished(std::move(at.exact));
      paths.emplace(path, AtPath{exact, finished(std::move(at.prefix))});
    }
    const Choices regexes = finished(std::move(host.regexes));
    return {NestedTexts<AtPath>(std::move(paths)), regexes, finished(std::move(host.any_path))};
  }

  const std::vector<config::Route>& routes;  // outlives this object
  std::map<std::string, Host> hosts;
  Host any_host;
  std::vector<Index> conditions_of;  // of each route
  std::vector<Choice> choices;
};

bool Route::passes_upgrade_to(std::string_view protocol) const {
  return std::ranges::any_of(upgrades, [&](std::string_view listed) {
    const bool any_version = listed.find('/') == std::string_view::npos;
    const std::string_view asked = any_version ? protocol.substr(0, protocol.find('/')) : protocol;
    return std::ranges::equal(listed, asked, [](char a, char b) {
      return lowercase(static_cast<unsigned char>(a)) == lowercase(static_cast<unsigned char>(b));
    });
  });
}

RouteTable::RouteTable(const config::Config& config, const Files& files,
                       const std::shared_ptr<const rates::Table>& rates)
    : error_pages_(make_error_pages(config, files)),
      maintenance_(make_maintenance(config.maintenance, files)),
      rates_of_all_(rates_of(config.limits, rates)) {
  const Rules global = rules_of(config);
  Draft draft(config.routes);
  for (const config::Route& route : config.routes) {
    const config::Match& match = route.match;
    const auto index_of = [&config](const std::string& upstream) {
      const auto found = std::ranges::find(config.upstreams, upstream, &config::Upstream::name);
      return static_cast<std::size_t>(found - config.upstreams.begin());
    };
    draft.add(match, static_cast<Index>(routes_.size()));
    const bool has_conditions = match.conditions() != 0 || !match.path_regex.empty();
    draft.conditions_of.push_back(has_conditions ? static_cast<Index>(conditions_.size()) : none);
    if (has_conditions) conditions_.push_back(tests_.add(match));
    routes_.push_back(
        {.name = route.label(),
         .upstream = route.upstream,
         .upstream_index = index_of(route.upstream),
         .gate = make_gate(route.gate, files, rates_of(route.gate.rate_limit, route.label(), rates_of_all_, rates)),
         .rewrite = rewrite_of(route),
         .where = route.where,
         .rules = rules_of(route, global),
         .upgrades = route.upgrades});
    for (const config::Share& share : route.split) {
      routes_.back().split.push_back(
          {share.upstream, index_of(share.upstream), static_cast<std::int64_t>(share.weight)});
    }
    has_regexes_ = has_regexes_ || !match.path_regex.empty();
    has_paths_ = has_paths_ || has_regexes_ || !match.path.empty() || !match.path_prefix.empty();
  }
  tests_.finish();
  by_name_.resize(routes_.size());
  std::iota(by_name_.begin(), by_name_.end(), Index{0});
  std::ranges::sort(by_name_, {}, [this](Index i) -> std::string_view { return routes_[i].name; });
  std::map<std::string, AtHost> hosts;
  for (auto& [host, routes] : draft.hosts) hosts.emplace(host, draft.finished(std::move(routes)));
  hosts_ = NestedTexts<AtHost>(std::move(hosts));
  any_host_ = draft.finished(std::move(draft.any_host));
  choices_ = std::move(draft.choices);
  const bool is_for_all = choices_.size() == 1 && any_host_.any_path.begin != any_host_.any_path.end;
  takes_all_ = routes_.size() == 1 && is_for_all && conditions_.empty();
}

const Route* RouteTable::named(std::string_view name) const {
  if (routes_.size() == 1) return routes_.front().name == name ? routes_.data() : nullptr;
  const auto name_of = [this](Index i) -> std::string_view { return routes_[i].name; };
  const auto found = std::ranges::lower_bound(by_name_, name, {}, name_of);
  return found != by_name_.end() && name_of(*found) == name ? &routes_[*found] : nullptr;
}

// Which route was found, and by which of its conditions; the texts are empty where it has none.
struct RouteTable::Found {
  Index route = none;
  std::string_view host;
  std::string_view path;
  bool is_prefix = false;
  bool is_regex = false;
  std::vector<Index>* passed_over = nullptr;  // null: nobody asks
};

RouteTable::Index RouteTable::choose(Choices among, Asking& asking, Found& found) const {
  for (Index i = among.begin; i != among.end; ++i) {
    const Choice& choice = choices_[i];
    if (choice.conditions == none || asking.meets(conditions_[choice.conditions])) return choice.route;
    if (found.passed_over != nullptr) found.passed_over->push_back(choice.route);
  }
  return none;
}

void RouteTable::search(std::string_view host, std::string_view path, Asking& asking, Found& found) const {
  const auto search_at = [&](const AtHost& at) {
    at.paths.visit_outwards(path, [&](std::string_view text, const AtPath& rules) {
      found.path = text;
      found.is_prefix = false;
      if (text.size() == path.size()) found.route = choose(rules.exact, asking, found);
      if (found.route != none) return true;
      found.is_prefix = true;
      if (is_below(path, text)) found.route = choose(rules.prefix, asking, found);
      return found.route != none;
    });
    if (found.route != none) return true;
    found.path = {};
    found.is_prefix = false;
    if (!path.empty()) found.route = choose(at.regexes, asking, found);
    found.is_regex = found.route != none;
    if (found.route == none) found.route = choose(at.any_path, asking, found);
    return found.route != none;
  };
  hosts_.visit_outwards(host, [&](std::string_view text, const AtHost& rules) {
    const bool is_wildcard = text.ends_with('.');
    if (is_wildcard ? host.size() == text.size() : host.size() != text.size()) return false;
    found.host = text;
    return search_at(rules);
  });
  if (found.route != none) return;
  found.host = {};
  search_at(any_host_);
}

const Route* RouteTable::find_among_many(const Request& request, Scratch& scratch) const {
  const Asked asked = asked_for(request.host, request.target);
  const config::MatchedPath path =
      has_regexes_ ? config::MatchedPath(asked.path, scratch.path) : config::MatchedPath(has_paths_ ? asked.path : "");
  const CanonicalHost canonical(hosts_.empty() ? "" : asked.authority);
  const ReversedHost reversed_host(canonical.text());
  Asking asking(tests_, request, path.text(), scratch);
  Found found;
  search(reversed_host.text(), path.text(), asking, found);
  return found.route == none ? nullptr : &routes_[found.route];
}

RouteTable::Reason RouteTable::explain(const Request& request) const {
  const Asked asked = asked_for(request.host, request.target);
  Scratch scratch;
  const config::MatchedPath path(asked.path, scratch.path);
  const CanonicalHost canonical(asked.authority);
  const ReversedHost reversed_host(canonical.text());
  Asking asking(tests_, request, path.text(), scratch);
  std::vector<Index> passed_over;
  Found found;
  found.passed_over = &passed_over;
  search(reversed_host.text(), path.text(), asking, found);
  const bool is_wildcard = found.host.ends_with('.');
  Reason reason{.route = found.route == none ? nullptr : &routes_[found.route],
                .host = reversed(reversed_host.text()),
                .path = std::string(path.text()),
                .host_rule = (is_wildcard ? "*" : "") + reversed(found.host),
                .path_rule = std::string(found.path),
                .is_prefix = found.is_prefix,
                .is_regex = found.is_regex};
  for (const Index i : passed_over) reason.passed_over.push_back(&routes_[i]);
  return reason;
}

}  // namespace baton::routing
