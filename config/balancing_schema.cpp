#include "config/balancing_schema.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/environment.hpp"
#include "config/text.hpp"

namespace baton::config {
namespace {

constexpr Name<Balance> balances[] = {{"round_robin", Balance::round_robin},
                                      {"least_connections", Balance::least_connections},
                                      {"random_two", Balance::random_two},
                                      {"hash", Balance::hash}};
constexpr Name<HashBy::What> hashed[] = {{"client", HashBy::What::client},
                                         {"header", HashBy::What::header},
                                         {"cookie", HashBy::What::cookie},
                                         {"path", HashBy::What::path},
                                         {"uri", HashBy::What::uri}};
constexpr Name<CookieSecure> secures[] = {
    {"auto", CookieSecure::automatic}, {"true", CookieSecure::always}, {"false", CookieSecure::never}};
constexpr Name<SameSite> same_sites[] = {
    {"lax", SameSite::lax}, {"strict", SameSite::strict}, {"none", SameSite::none}};
constexpr Name<WhenNoneIsUp> when_none_is_up[] = {{"try_all", WhenNoneIsUp::try_all}, {"refuse", WhenNoneIsUp::refuse}};

// `client`, `header NAME`, `cookie NAME`, `path` or `uri`.
Parsed<HashBy> parse_hash_by(std::string_view text) {
  const std::size_t blank = text.find(' ');
  const std::string_view word = text.substr(0, blank);
  std::string_view name = blank == std::string_view::npos ? std::string_view() : text.substr(blank);
  while (name.starts_with(' ')) name.remove_prefix(1);
  const auto what = std::ranges::find(hashed, word, &Name<HashBy::What>::text);
  if (what == std::end(hashed)) {
    return std::unexpected("expected `client`, `header NAME`, `cookie NAME`, `path` or `uri`");
  }
  const bool takes_name = what->value == HashBy::What::header || what->value == HashBy::What::cookie;
  if (!takes_name && !name.empty()) return std::unexpected(fmt::format("`{}` takes no name", word));
  if (takes_name && name.empty()) {
    return std::unexpected(fmt::format("`{}` needs a name, as in `by: {} {}`", word, word,
                                       what->value == HashBy::What::header ? "X-User" : "session"));
  }
  if (takes_name && !is_token(name)) {
    return std::unexpected(fmt::format("{} is not the name of a {}", quote(name), word));
  }
  return HashBy{what->value, std::string(name)};
}

void read_hash_by(Reader& reader, const Node& node, HashBy& hash) {
  if (const auto text = reader.text(node)) reader.assign(hash, node, parse_hash_by(*text));
}

constexpr Key<HashBy> hash_keys[] = {{"by", read_hash_by, true}};
std::string hash_of(std::string_view text) {
  return fmt::format("{{ by: {} }}", parse_hash_by(text) ? text : "client");
}
constexpr Section<HashBy> hash_section{"upstreams.hash", "in `hash`", hash_keys, hash_of};

void read_cookie(Reader& reader, const Node& node, Sticky& sticky) {
  const auto text = reader.text(node);
  if (!text) return;
  if (!is_token(*text)) return reader.refuse(node, quote(*text) + " is not the name of a cookie");
  sticky.cookie = *text;
}

void read_same_site(Reader& reader, const Node& node, Sticky& sticky) {
  const auto chosen = reader.choice(node, same_sites);
  if (!chosen) return;
  sticky.same_site = *chosen;
  if (*chosen == SameSite::none && sticky.secure == CookieSecure::never) {
    reader.refuse(node, "browsers refuse a cookie with `same_site: none` unless it is `secure`");
  }
}

constexpr Key<Sticky> sticky_keys[] = {
    {"cookie", read_cookie},
    {"secure", read_choice<&Sticky::secure, secures>},
    // Needs `secure`.
    {"same_site", read_same_site},
    {"max_age", read_duration<&Sticky::max_age, any_time>},
};
std::string sticky_of(std::string_view text) {
  return fmt::format("{{ cookie: {} }}", is_token(text) ? text : "BATON_SERVER");
}
constexpr Section<Sticky> sticky_section{"upstreams.sticky", "in `sticky`", sticky_keys, sticky_of};

constexpr Key<Queue> queue_keys[] = {
    {"at_most", read_count<&Queue::at_most, Bounds{1, 1'000'000}>},
    {"wait", read_duration<&Queue::wait, some_time>},
};
constexpr Section<Queue> queue_section{"upstreams.queue", "in `queue`", queue_keys};

void read_keep_alive_idle(Reader& reader, const Node& node, KeepAlive& keep_alive) {
  if (const auto text = reader.text_unless_auto(node)) {
    reader.assign(keep_alive.idle, node, parse_duration(*text, some_time));
  }
}

constexpr Key<KeepAlive> keep_alive_keys[] = {
    {"requests", read_count<&KeepAlive::requests, Bounds{1, 1'000'000'000, true}>},
    {"age", read_duration<&KeepAlive::age, any_time>},
    {"idle", read_keep_alive_idle},
    {"connections", read_count_or_auto<&KeepAlive::connections, Bounds{0, 1'024}>},
};
constexpr Section<KeepAlive> keep_alive_section{"upstreams.keep_alive", "in `keep_alive`", keep_alive_keys};

}  // namespace

void read_balance(Reader& reader, const Node& node, Upstream& upstream) {
  if (const auto chosen = reader.choice(node, balances)) upstream.balancing.balance = *chosen;
}

void read_hash(Reader& reader, const Node& node, Upstream& upstream) {
  if (upstream.balancing.balance != Balance::hash) return reader.refuse(node, "`hash` needs `balance: hash`");
  read_section(reader, node, hash_section, upstream.balancing.hash);
}

void read_sticky(Reader& reader, const Node& node, Upstream& upstream) {
  read_section(reader, node, sticky_section, upstream.balancing.sticky.emplace());
}

void read_slow_start(Reader& reader, const Node& node, Upstream& upstream) {
  read_duration<&Balancing::slow_start, any_time>(reader, node, upstream.balancing);
}

void read_queue(Reader& reader, const Node& node, Upstream& upstream) {
  read_section(reader, node, queue_section, upstream.balancing.queue.emplace());
  const bool has_limit =
      std::ranges::any_of(upstream.servers, [](const Server& server) { return server.max_connections != 0; });
  if (!has_limit && !upstream.servers.empty()) {
    reader.refuse(node, "no server of the upstream has `max_connections`, so nothing would ever wait");
  }
}

void read_keep_alive(Reader& reader, const Node& node, Upstream& upstream) {
  read_section(reader, node, keep_alive_section, upstream.balancing.keep_alive);
}

void read_when_none_is_up(Reader& reader, const Node& node, Upstream& upstream) {
  if (const auto chosen = reader.choice(node, when_none_is_up)) upstream.balancing.when_none_is_up = *chosen;
}

void add_balancing_keys(std::vector<KnownKey>& known) {
  add_keys(known, hash_section);
  add_keys(known, sticky_section);
  add_keys(known, queue_section);
  add_keys(known, keep_alive_section);
}

std::vector<std::string> balancing_lines(const Balancing& balancing) {
  std::vector<std::string> lines{fmt::format("balance: {}", name_of(balancing.balance, balances))};
  if (balancing.balance == Balance::hash) {
    const HashBy& hash = balancing.hash;
    lines.push_back(fmt::format("hash: {{ by: \"{}{}{}\" }}", name_of(hash.what, hashed), hash.name.empty() ? "" : " ",
                                escape_dollars(hash.name)));
  }
  if (const auto& sticky = balancing.sticky) {
    lines.push_back(fmt::format("sticky: {{ cookie: \"{}\", secure: {}, same_site: {}, max_age: {} }}",
                                escape_dollars(sticky->cookie), name_of(sticky->secure, secures),
                                name_of(sticky->same_site, same_sites), duration_text(sticky->max_age)));
  }
  if (balancing.slow_start.count() != 0) lines.push_back("slow_start: " + duration_text(balancing.slow_start));
  if (const auto& queue = balancing.queue) {
    lines.push_back(fmt::format("queue: {{ at_most: {}, wait: {} }}", queue->at_most, duration_text(queue->wait)));
  }
  if (const KeepAlive& keep = balancing.keep_alive; keep != KeepAlive{}) {
    lines.push_back(fmt::format("keep_alive: {{ requests: {}, age: {}, idle: {}, connections: {} }}", keep.requests,
                                duration_text(keep.age), keep.idle ? duration_text(*keep.idle) : "auto",
                                keep.connections ? std::to_string(*keep.connections) : "auto"));
  }
  if (balancing.when_none_is_up != WhenNoneIsUp::try_all) {
    lines.push_back(fmt::format("when_none_is_up: {}", name_of(balancing.when_none_is_up, when_none_is_up)));
  }
  return lines;
}

}  // namespace baton::config
