#include "proxy/routing/route_table.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
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
    const char* from = host.data() + host.size();
    std::size_t at = 0;
    for (std::uint64_t bytes = 0; size_ - at >= sizeof bytes; at += sizeof bytes) {
      from -= sizeof bytes;
      std::memcpy(&bytes, from, sizeof bytes);
      bytes = std::byteswap(lowercase(bytes));
      std::memcpy(bytes_.data() + at, &bytes, sizeof bytes);
    }
    for (; at < size_; ++at) bytes_[at] = static_cast<char>(lowercase(static_cast<unsigned char>(*--from)));
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
  return std::make_shared<const Rewrite>(Rewrite{.path = route.path,
                                                 .host = route.host,
                                                 .request = Rewrite::Fields(route.request_headers),
                                                 .response = Rewrite::Fields(route.response_headers)});
}

}  // namespace

struct RouteTable::Draft {
  struct Host {
    std::map<std::string, AtPath> paths;
    Index any_path = none;

    void add(const config::Match& match, Index route) {
      Index& place = !match.path.empty()          ? paths[match.path].exact
                     : !match.path_prefix.empty() ? paths[match.path_prefix].prefix
                                                  : any_path;
      if (place == none) place = route;
    }
    AtHost finished() && { return {NestedTexts<AtPath>(std::move(paths)), any_path}; }
  };

  void add(const config::Match& match, Index route) {
    if (match.hosts.empty()) any_host.add(match, route);
    for (const std::string& host : match.hosts) {
      hosts[reversed(host.starts_with('*') ? std::string_view(host).substr(1) : host)].add(match, route);
    }
  }

  std::map<std::string, Host> hosts;
  Host any_host;
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

RouteTable::RouteTable(const config::Config& config, const Files& files)
    : error_pages_(make_error_pages(config, files)), maintenance_(make_maintenance(config.maintenance, files)) {
  const Rules global = rules_of(config);
  Draft draft;
  for (const config::Route& route : config.routes) {
    const auto upstream = std::ranges::find(config.upstreams, route.upstream, &config::Upstream::name);
    draft.add(route.match, static_cast<Index>(routes_.size()));
    routes_.push_back({.name = route.label(),
                       .upstream = route.upstream,
                       .upstream_index = static_cast<std::size_t>(upstream - config.upstreams.begin()),
                       .gate = make_gate(route.gate, files),
                       .rewrite = rewrite_of(route),
                       .where = route.where,
                       .rules = rules_of(route, global),
                       .upgrades = route.upgrades});
    has_paths_ = has_paths_ || !route.match.path.empty() || !route.match.path_prefix.empty();
  }
  by_name_.resize(routes_.size());
  std::iota(by_name_.begin(), by_name_.end(), Index{0});
  std::ranges::sort(by_name_, {}, [this](Index i) -> std::string_view { return routes_[i].name; });
  std::map<std::string, AtHost> hosts;
  for (auto& [host, paths] : draft.hosts) hosts.emplace(host, std::move(paths).finished());
  hosts_ = NestedTexts<AtHost>(std::move(hosts));
  any_host_ = std::move(draft.any_host).finished();
  takes_all_ = routes_.size() == 1 && any_host_.any_path == 0;
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

  bool at(const AtHost& host_rules, std::string_view asked_path) {
    host_rules.paths.visit_outwards(asked_path, [&](std::string_view text, const AtPath& rules) {
      is_prefix = rules.exact == none || text.size() != asked_path.size();
      route = !is_prefix ? rules.exact : is_below(asked_path, text) ? rules.prefix : none;
      path = text;
      return route != none;
    });
    if (route != none) return true;
    route = host_rules.any_path;
    path = {};
    is_prefix = false;
    return route != none;
  }
};

RouteTable::Found RouteTable::search(std::string_view host, std::string_view path) const {
  Found found;
  hosts_.visit_outwards(host, [&](std::string_view text, const AtHost& rules) {
    const bool is_wildcard = text.ends_with('.');
    if (is_wildcard ? host.size() == text.size() : host.size() != text.size()) return false;
    found.host = text;
    return found.at(rules, path);
  });
  if (found.route != none) return found;
  found.host = {};
  found.at(any_host_, path);
  return found;
}

const Route* RouteTable::find_among_many(std::string_view host, std::string_view target) const {
  const Asked asked = asked_for(host, target);
  const config::MatchedPath path(has_paths_ ? asked.path : "");
  const CanonicalHost canonical(hosts_.empty() ? "" : asked.authority);
  const ReversedHost reversed_host(canonical.text());
  const Found found = search(reversed_host.text(), path.text());
  return found.route == none ? nullptr : &routes_[found.route];
}

RouteTable::Reason RouteTable::explain(std::string_view host, std::string_view target) const {
  const Asked asked = asked_for(host, target);
  const config::MatchedPath path(asked.path);
  const CanonicalHost canonical(asked.authority);
  const ReversedHost reversed_host(canonical.text());
  const Found found = search(reversed_host.text(), path.text());
  const bool is_wildcard = found.host.ends_with('.');
  return {.route = found.route == none ? nullptr : &routes_[found.route],
          .host = reversed(reversed_host.text()),
          .path = std::string(path.text()),
          .host_rule = (is_wildcard ? "*" : "") + reversed(found.host),
          .path_rule = std::string(found.path),
          .is_prefix = found.is_prefix};
}

}  // namespace baton::routing
