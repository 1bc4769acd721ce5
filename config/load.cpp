#include "config/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "config/claims.hpp"
#include "config/effects.hpp"
#include "config/file_order.hpp"
#include "config/foreign.hpp"
#include "config/include.hpp"
#include "config/names.hpp"
#include "config/place_comment.hpp"
#include "config/reader.hpp"
#include "config/schema.hpp"
#include "config/suggest.hpp"
#include "config/tree.hpp"

namespace baton::config {
namespace {

const Node* find(const Node& root, std::string_view section, std::string_view key) {
  const Node* node = root.find(section);
  return node ? node->find(key) : nullptr;
}

// Everything that binds an address, in file order.
std::vector<Claim> all_claims(const Reader& reader, const Node& root, const Draft& draft) {
  std::vector<Claim> claims;
  for (const ListenerDraft& listener : draft.listeners) std::ranges::copy(listener.claims, std::back_inserter(claims));
  for (const auto& admin : draft.config.admin) {
    if (admin) claims.push_back({*admin, admin->where, "`admin`"});
  }
  const Node* socket = find(root, "handoff", "socket");
  if (socket && draft.config.handoff.socket) {
    claims.push_back({{.unix_path = *draft.config.handoff.socket}, reader.position(*socket), "`handoff.socket`"});
  }
  std::ranges::sort(claims, {}, [order = FileOrder(reader.files())](const Claim& claim) { return order(claim.where); });
  return claims;
}

void check_claims(Reader& reader, const Node& root, const Draft& draft) {
  Claims taken;
  for (const Claim& claim : all_claims(reader, root, draft)) {
    const Claim* rival = taken.add(claim);
    if (!rival) continue;
    reader.report(claim.where, fmt::format("`{}` cannot be bound together with `{}` of {} in {}", claim.address.text(),
                                           rival->address.text(), rival->who, other_place(rival->where, claim.where)));
  }
}

// An upgrade hands over all of them.
void check_sockets(Reader& reader, const Draft& draft) {
  std::size_t sockets = 0;
  for (const ListenerDraft& listener : draft.listeners) {
    for (const Claim& claim : listener.claims) {
      const bool is_of_both_families = claim.address.host.empty() && claim.address.unix_path.empty();
      sockets += is_of_both_families ? 2 : 1;
      if (sockets <= listening_sockets_max) continue;
      reader.report(claim.where, fmt::format("more than {} addresses to listen on (`:port` counts as two); an "
                                             "upgrade could not pass them on",
                                             listening_sockets_max));
      return;
    }
  }
}

void check_upstream_exists(Reader& reader, const Config& config, const std::string& name, const Position& where) {
  if (name.empty() || config.find_upstream(name)) return;
  std::vector<std::string_view> names;
  for (const Upstream& upstream : config.upstreams) names.push_back(upstream.name);
  reader.report(where, fmt::format("there is no upstream `{}`{}", name, did_you_mean(name, names)));
}

// A tcp listener names its upstream or uses the only one. For an http listener the routes choose.
void check_listener_upstream(Reader& reader, const Config& config, ListenerDraft& draft) {
  if (draft.protocol == Protocol::http && draft.upstream) {
    reader.report(*draft.upstream, "`upstream` is for tcp listeners; on an http listener `routes` choose the upstream");
  }
  if (draft.protocol != Protocol::tcp || config.upstreams.empty()) return;
  if (draft.upstream) {
    check_upstream_exists(reader, config, draft.listener.upstream, *draft.upstream);
  } else if (config.upstreams.size() == 1) {
    draft.listener.upstream = config.upstreams.front().name;
  } else {
    reader.report(draft.listener.where,
                  "`upstream` is missing on a tcp listener; there are several upstreams and it must name one of them");
  }
}

void check_tcp_routes(Reader& reader, const Config& config, const ListenerDraft& draft) {
  if (!draft.routes) return;
  if (draft.protocol == Protocol::http) {
    return reader.report(*draft.routes,
                         "`routes` of a listener are for tcp; for http listeners write `routes` at the top level");
  }
  if (draft.listener.tls) {
    reader.report(*draft.routes,
                  "`routes` of a listener read the ClientHello of connections that pass undecrypted; leave out `tls`");
  }
  for (const TcpRoute& route : draft.listener.routes)
    check_upstream_exists(reader, config, route.upstream, route.where);
}

void check_access(Reader& reader, const ListenerDraft& draft) {
  if (!draft.access || draft.protocol != Protocol::http) return;
  reader.report(*draft.access, "`access` of a listener is for tcp; for http listeners write `access` on routes");
}

// A PROXY header decides the client's address, so its senders must be trusted.
void check_proxy_protocol(Reader& reader, const Config& config, const ListenerDraft& draft) {
  const Listener& listener = draft.listener;
  const TrustedProxies& trusted = listener.trusted_proxies ? *listener.trusted_proxies : config.trusted_proxies;
  if (listener.proxy_protocol == ProxyProtocol::off || trusted != TrustedProxies{}) return;
  reader.report(listener.where,
                fmt::format("`proxy_protocol: {}` needs `trusted_proxies`: the addresses of those who may send a PROXY "
                            "header",
                            name_of(listener.proxy_protocol, proxy_protocols)));
}

// Without `routes` there must be exactly one upstream, unless there is no http listener to need a route.
void check_routes(Reader& reader, const Node& root, Draft& draft) {
  Config& config = draft.config;
  const Node* upstreams = root.find("upstreams");
  if (!upstreams || config.upstreams.empty()) return;
  const Node* routes = root.find("routes");
  if (!routes) {
    if (config.upstreams.size() == 1) {
      config.routes.push_back({.upstream = config.upstreams.front().name, .where = reader.position(*upstreams)});
      return;
    }
    const auto is_http = [](const ListenerDraft& listener) { return listener.protocol == Protocol::http; };
    if (std::ranges::none_of(draft.listeners, is_http)) return;
    reader.refuse(*upstreams, "there are several upstreams; `routes: [ { upstream: NAME } ]` must name one of them");
    return;
  }
  const auto* entries = std::get_if<Node::List>(&routes->value);
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const Node* upstream = (*entries)[i].find("upstream");
    if (upstream) check_upstream_exists(reader, config, config.routes[i].upstream, reader.position(*upstream));
    for (const Share& share : config.routes[i].split)
      check_upstream_exists(reader, config, share.upstream, share.where);
  }
}

// The request line is part of the head. The default shrinks to fit a smaller head; a number in the file does not.
void check_limits(Reader& reader, const Node& root, Limits& limits) {
  if (limits.uri_bytes <= limits.head_bytes) return;
  const Node* written = find(root, "limits", "uri_bytes");
  if (!written) {
    limits.uri_bytes = limits.head_bytes;
    return;
  }
  reader.refuse(*written, fmt::format("`uri_bytes` {} is more than `head_bytes` {}", size_text(limits.uri_bytes),
                                      size_text(limits.head_bytes)));
}

// Positions of the values that a warning may name.
Places places_of(const Reader& reader, const Node& root) {
  const auto place = [&](const Node* node) { return node ? reader.position(*node) : Position{}; };
  const Node* access = find(root, "log", "access");
  return {.handoff_socket = place(find(root, "handoff", "socket")),
          .pid_file = place(root.find("pid_file")),
          .access_log = place(access ? access->find("path") : nullptr),
          .connections = place(find(root, "limits", "connections")),
          .files = reader.files()};
}

Config finished(Draft draft) {
  for (ListenerDraft& one : draft.listeners) draft.config.listeners.push_back(std::move(one.listener));
  return std::move(draft.config);
}

Problems refused_whole(const std::string& name, std::string message) {
  Problems problems;
  problems.push_back({{.file = name}, std::move(message)});
  return problems;
}

// In another program's file everything is wrong, so it gets one error. If it is the first one, nothing else matters.
Problems explained(const std::vector<Source>& sources, Problems problems) {
  for (const Source& source : sources) {
    const auto is_of_it = [&](const Problem& problem) { return problem.where.file == source.name; };
    const auto first = std::ranges::find_if(problems, is_of_it);
    if (first == problems.end()) continue;
    auto foreign = recognise(source.text, source.name);
    if (!foreign) continue;
    if (&source == &sources.front()) return {*std::move(foreign)};
    *first = *std::move(foreign);
    problems.erase(std::remove_if(first + 1, problems.end(), is_of_it), problems.end());
  }
  return problems;
}

enum class Includes { are_read, are_refused };

void refuse_includes(Reader& reader, const Node& root) {
  const Node* include = root.find("include");
  const auto* list = include ? std::get_if<Node::List>(&include->value) : nullptr;
  if (!include || (list && list->empty())) return;
  reader.report(reader.position(*include), "`include`: only a file can include others");
}

std::variant<Config, Problems> load(Source source, Environment environment, std::size_t bytes_max, Includes includes) {
  const std::string name = source.name;
  if (source.text.size() > bytes_max) return refused_whole(name, std::string(too_large));
  // What `print` writes has more values than what was read.
  Tree tree =
      parse_tree(source.text, name, {.nodes_max = std::max(nodes_max, bytes_max > file_bytes_max ? bytes_max : 0)});
  std::vector<Source> sources{std::move(source)};
  if (!tree.root) return explained(sources, std::move(tree.problems));
  Reader reader(name, environment);
  if (includes == Includes::are_read) {
    add_included(reader, *tree.root, tree.nodes, sources);
  } else {
    refuse_includes(reader, *tree.root);
  }
  Draft draft = read_draft(reader, *tree.root);
  check_claims(reader, *tree.root, draft);
  check_sockets(reader, draft);
  for (ListenerDraft& listener : draft.listeners) check_listener_upstream(reader, draft.config, listener);
  for (const ListenerDraft& listener : draft.listeners) check_proxy_protocol(reader, draft.config, listener);
  for (const ListenerDraft& listener : draft.listeners) check_tcp_routes(reader, draft.config, listener);
  for (const ListenerDraft& listener : draft.listeners) check_access(reader, listener);
  check_routes(reader, *tree.root, draft);
  check_limits(reader, *tree.root, draft.config.limits);
  check_effects(reader, *tree.root, draft);
  Problems problems = std::move(tree.problems);
  std::ranges::move(reader.take_problems(), std::back_inserter(problems));
  draft.config.places = places_of(reader, *tree.root);
  if (problems.empty()) {
    Config config = finished(std::move(draft));
    if (includes == Includes::are_refused) restore_places(sources.front().text, config.routes);
    if (print_with_places(config).size() <= written_bytes_max) return config;
    return refused_whole(name, "is larger than 8 MiB when written out in full; an upgrade could not pass it on");
  }
  sort(problems, reader.files());
  return explained(sources, std::move(problems));
}

}  // namespace

std::string Problem::text() const {
  if (where.line == 0) return fmt::format("{}: {}", where.file, message);
  return fmt::format("{}:{}:{}: {}", where.file, where.line, where.column, message);
}

void sort(Problems& problems, const std::vector<std::string>& files) {
  const FileOrder order(files);
  std::ranges::sort(problems, {}, [&](const Problem& problem) {
    return std::tuple_cat(order(problem.where), std::tie(problem.message));
  });
}

std::string other_place(const Position& there, const Position& here) {
  if (there.file == here.file) return fmt::format("line {}", there.line);
  return fmt::format("{}:{}:{}", there.file, there.line, there.column);
}

std::variant<Config, Problems> load_file(const std::string& path, Environment environment) {
  auto text = read_source(path);
  if (!text) return refused_whole(path, "cannot be read: " + text.error());
  return load({path, *std::move(text)}, environment, file_bytes_max, Includes::are_read);
}

std::variant<Config, Problems> load_text(std::string_view yaml, const std::string& name, Environment environment,
                                         std::size_t bytes_max) {
  return load({name, std::string(yaml)}, environment, bytes_max, Includes::are_refused);
}

std::variant<Config, Problems> load_applied(std::string_view yaml, const std::string& beside, Environment environment) {
  return load({std::string(applied_name), std::string(yaml), beside}, environment, written_bytes_max,
              Includes::are_read);
}

}  // namespace baton::config
