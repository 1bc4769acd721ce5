#include "proxy/routing/route_table.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>

#include "config/block.hpp"
#include "config/matched_path.hpp"

namespace baton::routing {

namespace {

// A DNS name has at most 253 bytes. The end of a longer one is enough to tell which wildcards match it.
constexpr std::size_t host_bytes_max = 256;

using config::Block;

char as_lowercase(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

static_assert(host_bytes_max <= TextHash::bytes_max && config::route_path_bytes_max <= TextHash::bytes_max);

std::string reversed(std::string_view text) {
  return {text.rbegin(), text.rend()};
}

std::string_view end_of_name(std::string_view authority) {
  std::string_view name = authority.substr(0, authority.find(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return name.substr(name.size() - std::min(name.size(), host_bytes_max));
}

// The host of an authority, in lowercase and without a final dot; an address in brackets in the form of `Match::hosts`.
class MatchedHost {
 public:
  explicit MatchedHost(std::string_view authority) {
    if (authority.starts_with('[')) {
      take_address(authority);
    } else {
      if (authority.size() > host_bytes_max) authority = end_of_name(authority);
      take_name(authority);
    }
    if (size_ != 0 && bytes_[size_ - 1] == '.') --size_;
  }
  MatchedHost(const MatchedHost&) = delete;
  MatchedHost& operator=(const MatchedHost&) = delete;

  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  void take_name(std::string_view authority);
  void take_address(std::string_view authority);

  std::array<char, host_bytes_max> bytes_;
  std::size_t size_ = 0;
};

void MatchedHost::take_name(std::string_view authority) {
  const char* from = authority.data();
  size_ = authority.size();
  if (size_ < Block::bytes) {
    std::ranges::fill_n(bytes_.begin(), Block::bytes, '\0');
    std::ranges::copy(authority, bytes_.begin());
    from = bytes_.data();
  }
  // The last block may begin among bytes that were looked at already.
  const std::size_t last = std::max<std::size_t>(size_, Block::bytes) - Block::bytes;
  for (std::size_t at = 0;; at = std::min(at + Block::bytes, last)) {
    const Block block(from + at);
    block.write_lowercase(bytes_.data() + at);
    if (const auto colon = block.match_equal(':')) {
      size_ = at + static_cast<std::size_t>(Block::first(colon));
      break;
    }
    if (at == last) break;
  }
}

void MatchedHost::take_address(std::string_view authority) {
  const std::size_t bytes = std::min(authority.find(']'), authority.size() - 1) + 1;
  const std::string_view text = authority.substr(0, std::min(bytes, host_bytes_max));
  std::array<char, INET6_ADDRSTRLEN> inner{};
  in6_addr address;
  size_ = text.size();
  std::ranges::transform(text, bytes_.begin(), as_lowercase);
  if (size_ < 2 || !text.ends_with(']') || size_ - 2 >= inner.size()) return;
  std::ranges::copy(text.substr(1, size_ - 2), inner.begin());
  if (::inet_pton(AF_INET6, inner.data(), &address) != 1) return;
  ::inet_ntop(AF_INET6, &address, bytes_.data() + 1, INET6_ADDRSTRLEN);
  size_ = std::strlen(bytes_.data());
  bytes_[size_++] = ']';
}

// The parts of a request that decide. The path is empty if the target has none, as in `*`.
struct Asked {
  std::string_view authority;
  std::string_view path;
};

Asked asked_in_another_form(std::string_view host, std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return {host, {}};
  target.remove_prefix(scheme + 3);
  const std::size_t end = std::min(target.find_first_of("/?"), target.size());
  const std::string_view path = target.substr(end);
  return {target.substr(0, end), path.starts_with('/') ? path : "/"};
}

Asked asked_for(std::string_view host, std::string_view target) {
  return target.starts_with('/') ? Asked{host, target} : asked_in_another_form(host, target);
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
  struct Host {
    std::map<std::string, Routes> paths;
    std::map<std::string, Routes> prefixes;
    Routes regexes;
    Routes any_path;

    void add(const config::Match& match, Index route) {
      Routes& place = !match.path.empty()          ? paths[match.path]
                      : !match.path_prefix.empty() ? prefixes[match.path_prefix]
                      : !match.path_regex.empty()  ? regexes
                                                   : any_path;
      place.push_back(route);
    }
  };

  Draft(const std::vector<config::Route>& of, const TextHash& by) : routes(of), hash(by) {}

  void add(const config::Match& match, Index route) {
    if (match.hosts.empty()) any_host.add(match, route);
    for (const std::string& host : match.hosts) {
      const bool is_wildcard = host.starts_with('*');
      Host& at = is_wildcard ? wildcards[reversed(std::string_view(host).substr(1))] : hosts[host];
      at.add(match, route);
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
  template <class From, class To>
  std::map<std::string, To> all_finished(std::map<std::string, From> from) {
    std::map<std::string, To> to;
    for (auto& [text, at] : from) to.emplace(text, finished(std::move(at)));
    return to;
  }
  AtHost finished(Host host) {
    HashedTexts<Choices> paths(all_finished<Routes, Choices>(std::move(host.paths)), hash);
    NestedTexts<Choices> prefixes(all_finished<Routes, Choices>(std::move(host.prefixes)));
    const Choices regexes = finished(std::move(host.regexes));
    return {std::move(paths), std::move(prefixes), regexes, finished(std::move(host.any_path))};
  }

  const std::vector<config::Route>& routes;  // both outlive this object
  const TextHash& hash;
  std::map<std::string, Host> hosts;
  std::map<std::string, Host> wildcards;  // reversed
  Host any_host;
  std::vector<Index> conditions_of;  // of each route
  std::vector<Choice> choices;
};

bool Route::passes_upgrade_to(std::string_view protocol) const {
  return std::ranges::any_of(upgrades, [&](std::string_view listed) {
    const bool any_version = listed.find('/') == std::string_view::npos;
    const std::string_view asked = any_version ? protocol.substr(0, protocol.find('/')) : protocol;
    return std::ranges::equal(listed, asked, {}, as_lowercase, as_lowercase);
  });
}

RouteTable::RouteTable(const config::Config& config, const Files& files,
                       const std::shared_ptr<const rates::Table>& rates)
    : hash_(TextHash::random()),
      error_pages_(make_error_pages(config, files)),
      maintenance_(make_maintenance(config.maintenance, files)),
      rates_of_all_(rates_of(config.limits, rates)) {
  const Rules global = rules_of(config);
  Draft draft(config.routes, hash_);
  std::map<std::string_view, std::size_t> upstreams;
  for (std::size_t i = 0; i < config.upstreams.size(); ++i) upstreams.emplace(config.upstreams[i].name, i);
  const auto index_of = [&](const std::string& upstream) {
    const auto found = upstreams.find(upstream);
    return found == upstreams.end() ? upstreams.size() : found->second;
  };
  routes_.reserve(config.routes.size());
  for (const config::Route& route : config.routes) {
    const config::Match& match = route.match;
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
  hosts_ = {draft.all_finished<Draft::Host, AtHost>(std::move(draft.hosts)), hash_};
  wildcards_ = NestedTexts(draft.all_finished<Draft::Host, AtHost>(std::move(draft.wildcards)));
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
  bool is_wildcard = false;  // `host` begins with the dot
  bool is_prefix = false;
  bool is_regex = false;
  std::vector<Index>* passed_over = nullptr;  // null: nobody asks
};

RouteTable::Index RouteTable::choose_by_conditions(Choices among, Asking& asking, Found& found) const {
  for (Index i = among.begin; i != among.end; ++i) {
    const Choice& choice = choices_[i];
    if (choice.conditions == none || asking.meets(conditions_[choice.conditions])) return choice.route;
    if (found.passed_over != nullptr) found.passed_over->push_back(choice.route);
  }
  return none;
}

bool RouteTable::search_at(const AtHost& at, std::string_view path, Asking& asking, Found& found) const {
  found.path = path;
  if (const Choices* exact = at.paths.find(path, hash_)) found.route = choose(*exact, asking, found);
  if (found.route != none) return true;
  found.is_prefix = at.prefixes.visit_outwards(path, [&](std::string_view text, Choices choices) {
    found.path = text;
    if (is_below(path, text)) found.route = choose(choices, asking, found);
    return found.route != none;
  });
  if (found.is_prefix) return true;
  found.path = {};
  if (!path.empty()) found.route = choose(at.regexes, asking, found);
  found.is_regex = found.route != none;
  if (found.route == none) found.route = choose(at.any_path, asking, found);
  return found.route != none;
}

bool RouteTable::search_below(std::string_view host, std::string_view path, Asking& asking, Found& found) const {
  if (wildcards_.empty()) return false;
  std::array<char, host_bytes_max> reversed_host;
  std::ranges::reverse_copy(host, reversed_host.begin());
  return wildcards_.visit_outwards({reversed_host.data(), host.size()}, [&](std::string_view text, const AtHost& at) {
    if (text.size() == host.size()) return false;
    found.host = host.substr(host.size() - text.size());
    found.is_wildcard = true;
    return search_at(at, path, asking, found);
  });
}

void RouteTable::search(std::string_view host, std::string_view path, Asking& asking, Found& found) const {
  found.host = host;
  const AtHost* const at = hosts_.find(host, hash_);
  if (at != nullptr && search_at(*at, path, asking, found)) return;
  if (search_below(host, path, asking, found)) return;
  found.host = {};
  found.is_wildcard = false;
  search_at(any_host_, path, asking, found);
}

const Route* RouteTable::find_among_many(const Request& request, Scratch& scratch) const {
  const Asked asked = asked_for(request.host, request.target);
  const config::MatchedPath path =
      has_regexes_ ? config::MatchedPath(asked.path, scratch.path) : config::MatchedPath(has_paths_ ? asked.path : "");
  const MatchedHost host(hosts_.empty() && wildcards_.empty() ? "" : asked.authority);
  Asking asking(tests_, request, path.text(), scratch);
  Found found;
  search(host.text(), path.text(), asking, found);
  return found.route == none ? nullptr : &routes_[found.route];
}

RouteTable::Reason RouteTable::explain(const Request& request) const {
  const Asked asked = asked_for(request.host, request.target);
  Scratch scratch;
  const config::MatchedPath path(asked.path, scratch.path);
  const MatchedHost host(asked.authority);
  Asking asking(tests_, request, path.text(), scratch);
  std::vector<Index> passed_over;
  Found found;
  found.passed_over = &passed_over;
  search(host.text(), path.text(), asking, found);
  Reason reason{.route = found.route == none ? nullptr : &routes_[found.route],
                .host = std::string(host.text()),
                .path = std::string(path.text()),
                .host_rule = (found.is_wildcard ? "*" : "") + std::string(found.host),
                .path_rule = std::string(found.path),
                .is_prefix = found.is_prefix,
                .is_regex = found.is_regex};
  for (const Index i : passed_over) reason.passed_over.push_back(&routes_[i]);
  return reason;
}

}  // namespace baton::routing
