#include "proxy/upstream/pool.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "proxy/upstream/greeting.hpp"

namespace baton::upstream {

namespace {

constexpr std::int64_t failure_ms = 5'000;
constexpr std::size_t idle_per_server_max = 1024;

std::uint64_t tag_of(const Standing& standing, const runtime::HashKey& key) {
  std::string named = "sticky";
  for (const std::string& part : {standing.upstream, standing.address}) named += '\0' + part;
  return std::max<std::uint64_t>(runtime::keyed_hash(key, named), 1);
}

}  // namespace

Server::Server(const ServerAddress& from, const UpstreamServers& of)
    : address(from.address),
      host(from.host),
      terms(of.terms(from)),
      standing(from.standing ? from.standing : std::make_shared<Standing>(of.name, from.address.text())),
      tag(tag_of(*standing, of.registry ? of.registry->key() : runtime::HashKey{})) {
  if (!from.standing) standing->configure({.weight = from.weight, .drain = from.drain}, false, 0);
  sessions_.reserve(sessions_kept);
  take_rank(rank_of(from, of));
}

Server::Rank Server::rank_of(const ServerAddress& server, const UpstreamServers& of) {
  const config::Balancing& balancing = of.balancing;
  return {.is_backup = server.backup,
          .counts_together = of.counts_together(server),
          .max_connections = static_cast<std::int64_t>(server.max_connections),
          .idle_max = balancing.keep_alive.connections.value_or(idle_per_server_max),
          .queue = of.queue,
          .protocol = of.protocol};
}

void Server::take_rank(const Rank& rank) {
  if (counts_together_ != rank.counts_together) {
    standing->load.add(rank.counts_together ? in_flight_ : -in_flight_);
  }
  is_backup_ = rank.is_backup;
  counts_together_ = rank.counts_together;
  max_connections_ = rank.max_connections;
  idle_max_ = rank.idle_max;
  queue_ = rank.queue;
  protocol_ = rank.protocol;
}

bool Server::may_begin() {
  if (max_connections_ == 0) {
    begin_exchange();
    return true;
  }
  if (standing->load.add(1) + standing->load.elsewhere() > max_connections_) {
    standing->load.add(-1);
    return false;
  }
  ++in_flight_;
  return true;
}

Server::~Server() {
  take_rank({});  // no longer counted together
  in_flight_ = 0;
  settle(0);
}

void Server::end_exchange() {
  --in_flight_;
  if (!counts_together_) return;
  if (queue_ && is_limited() && queue_->is_used()) {
    return queue_->free_place(standing, max_connections_, runtime::monotonic_ms());
  }
  standing->load.add(-1);
}

void Server::settle(std::int64_t now_ms) {
  const std::int64_t begun = in_flight_ - std::exchange(in_flight_settled_, in_flight_);
  if (begun != 0 || !counts.is_empty()) standing->add(std::exchange(counts, {}), begun, now_ms);
}

void Server::note_failure(std::int64_t now_ms) { failed_until_ms_ = now_ms + failure_ms; }

void Server::append_authority(std::string& out) const {
  if (address.family == state::Family::unix_path) {
    out += "localhost";
    return;
  }
  const bool is_v6 = host.find(':') != std::string::npos;
  out += is_v6 ? "[" + host + "]" : host;
  if (address.port != (terms.empty() ? 80 : 443)) out += ":" + std::to_string(address.port);
}

void Server::keep(tls::SessionPtr session) {
  if (sessions_.size() >= sessions_kept) sessions_.erase(sessions_.begin());
  sessions_.push_back(std::move(session));
}

tls::SessionPtr Server::take_session() {
  if (sessions_.empty()) return nullptr;
  tls::SessionPtr session = std::move(sessions_.back());
  sessions_.pop_back();
  return session;
}

Upstream::Upstream(const UpstreamServers& from)
    : name_(from.name),
      tls_(from.tls),
      keepalive_s_(from.keepalive_s),
      proxy_header_(from.proxy_header),
      protocol_(from.protocol),
      balancing_(from.balancing),
      queue_(from.queue),
      ejections_(from.ejections),
      key_(from.registry ? from.registry->key() : runtime::HashKey{}),
      random_(runtime::keyed_hash(runtime::HashKey::random(), from.name)),
      is_single_(from.servers.size() == 1 && !from.queue && !from.balancing.sticky) {
  for (const ServerAddress& wanted : from.servers) servers_.push_back(std::make_unique<Server>(wanted, from));
}

void Upstream::keep_from(Upstream& before) {
  retry_budget_ = before.retry_budget_;
  auto expected = before.servers_.begin();  // most keep their order, and one list may have thousands
  for (auto& server : servers_) {
    const auto is_same = [&](const auto& one) { return one->address == server->address && one->terms == server->terms; };
    auto kept = std::find_if(expected, before.servers_.end(), is_same);
    if (kept == before.servers_.end()) kept = std::find_if(before.servers_.begin(), expected, is_same);
    if (kept == before.servers_.end() || !is_same(*kept)) continue;
    expected = std::next(kept);
    std::swap(server, *kept);
    const Server& wanted = **kept;
    server->take_rank({wanted.is_backup_, wanted.counts_together_, wanted.max_connections_, wanted.idle_max_,
                       wanted.queue_, wanted.protocol_});
    server->turn_ = 0;
  }
}

void Upstream::fill_places(std::int64_t now_ms) {
  if (!queue_ || !queue_->is_used()) return;
  for (const auto& server : servers_) {
    if (server->is_limited()) queue_->fill(server->standing, server->max_connections_, now_ms);
  }
}

Server* Upstream::with(const Standing& standing) const {
  const auto found =
      std::ranges::find_if(servers_, [&](const auto& server) { return server->standing.get() == &standing; });
  return found == servers_.end() ? nullptr : found->get();
}

Server* Upstream::find(const state::SocketAddress& address, std::string_view terms) {
  const auto found = std::find_if(servers_.begin(), servers_.end(),
                                  [&](const auto& server) { return server->address == address && server->terms == terms; });
  return found == servers_.end() ? nullptr : found->get();
}

const Server* Upstream::find_any(const state::SocketAddress& address) const {
  const auto found = std::ranges::find(servers_, address, [](const auto& server) { return server->address; });
  return found == servers_.end() ? nullptr : found->get();
}

Pool::Pool(runtime::Loop& loop, const std::vector<UpstreamServers>& upstreams) : loop_(loop) {
  for (const auto& upstream : upstreams) upstreams_.emplace(upstream.name, upstream);
}

void Pool::update(const std::vector<UpstreamServers>& upstreams) {
  std::map<std::string, Upstream, std::less<>> next;
  for (const auto& wanted : upstreams) next.emplace(wanted.name, wanted);
  // From here on nothing needs memory.
  for (auto& [name, upstream] : next) {
    if (const auto before = upstreams_.find(name); before != upstreams_.end()) upstream.keep_from(before->second);
  }
  upstreams_.swap(next);
  for (auto& [name, upstream] : next) {
    for (const auto& server : upstream.servers_) {
      for (auto& idle : server->idle_) close(idle);
      server->idle_.clear();
    }
  }
  replaced_ = std::move(next);
}

void Pool::fill_places(std::int64_t now_ms) {
  for (auto& [name, upstream] : upstreams_) upstream.fill_places(now_ms);
}

void Pool::settle(std::int64_t now_ms) noexcept {
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) server->settle(now_ms);
    upstream.counts.settle(name);
  }
}

Upstream* Pool::find(std::string_view name) {
  const auto found = upstreams_.find(name);
  return found == upstreams_.end() ? nullptr : &found->second;
}

void Pool::close(IdleConnection& idle) {
  idle.stream->say_goodbye(*idle.leg);
  idle.stream->socket().close();
  loop_.dispose(std::move(idle.stream));
  --idle_;
}

namespace {

bool is_quiet(IdleConnection& idle, std::int64_t now_ms) {
  return idle.leg->frames ? stays_idle(*idle.stream, *idle.leg, now_ms) : idle.stream->is_quiet(*idle.leg, now_ms);
}

// A reload may have changed what the server is spoken to in.
bool speaks(const IdleConnection& idle, config::ServerProtocol protocol) {
  return protocol != (idle.leg->frames ? config::ServerProtocol::http1 : config::ServerProtocol::http2);
}

}  // namespace

IdleConnection Pool::take(Server& server, std::int64_t now_ms, std::int64_t quiet_within_ms, bool may_carry) {
  while (!server.idle_.empty()) {
    auto at = std::prev(server.idle_.end());
    if (server.protocol_ == config::ServerProtocol::automatic && !may_carry) {
      while (at != server.idle_.begin() && at->leg->frames) --at;
      if (at->leg->frames) break;
    }
    if (quiet_within_ms != 0 && at->since_ms + quiet_within_ms <= now_ms) break;
    IdleConnection idle = std::move(*at);
    if (std::next(at) == server.idle_.end()) {
      server.idle_.pop_back();
    } else {
      server.idle_.erase(at);
    }
    const bool is_good = speaks(idle, server.protocol_) && (quiet_within_ms == 0 || is_quiet(idle, now_ms));
    if (is_good) {
      --idle_;
      return idle;
    }
    close(idle);
  }
  ++server.missed_;
  return {};
}

void Pool::begin_adopting() {
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) server->missed_ = 0;
  }
}

void Pool::adopt(Server& server, IdleConnection idle) {
  if (server.missed_ == 0) return give(server, std::move(idle));
  --server.missed_;
  ++idle_;
  close(idle);
}

void Pool::give(Server& server, IdleConnection&& idle) {
  idle.stream->socket().set_owner(*this);
  ++idle_;
  if (server.idle_.size() >= server.idle_max_) return close(idle);
  try {
    server.idle_.push_back(std::move(idle));
  } catch (const std::bad_alloc&) {
    return close(idle);
  }
  for (auto place = std::prev(server.idle_.end());
       place != server.idle_.begin() && std::prev(place)->since_ms > place->since_ms; --place) {
    std::iter_swap(place, std::prev(place));
  }
}

void Pool::expire(std::int64_t now_ms, std::int64_t idle_ms) {
  for (auto& [name, upstream] : upstreams_) {
    const config::KeepAlive& keep_alive = upstream.balancing_.keep_alive;
    const std::int64_t at_most_ms = keep_alive.idle && idle_ms != 0 ? keep_alive.idle->count() : idle_ms;
    const std::int64_t age_ms = keep_alive.age.count();
    for (const auto& server : upstream.servers_) {
      std::erase_if(server->idle_, [&](IdleConnection& idle) {
        const bool is_old = age_ms != 0 && idle.leg->opened_ms + age_ms <= now_ms;
        if (idle.since_ms + at_most_ms > now_ms && !is_old) return false;
        close(idle);
        return true;
      });
    }
  }
}

bool Pool::trim(std::size_t most) {
  const std::size_t before = idle_;
  while (idle_ > most) {
    for (auto& [name, upstream] : upstreams_) {
      for (const auto& server : upstream.servers_) {
        if (server->idle_.empty() || idle_ <= most) continue;
        close(server->idle_.front());
        server->idle_.pop_front();
      }
    }
  }
  return idle_ != before;
}

bool Pool::leave_one(Leaving& leaving) {
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) {
      if (server->idle_.empty()) continue;
      leaving = {name, server->address, std::move(server->idle_.front())};
      server->idle_.pop_front();
      --idle_;
      return true;
    }
  }
  return false;
}

// A server sends nothing on an idle connection: a readable one has EOF, an error or unsolicited bytes; with TLS, also
// tickets and the like, which mean nothing here, and with HTTP/2, frames of the connection.
void Pool::on_ready(runtime::Socket& socket) {
  if (!socket.readable()) return;
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) {
      const auto found = std::find_if(server->idle_.begin(), server->idle_.end(),
                                      [&](const auto& idle) { return &idle.stream->socket() == &socket; });
      if (found == server->idle_.end()) continue;
      const bool may_say_something = found->leg->tls || found->leg->frames;
      if (may_say_something && is_quiet(*found, loop_.now_ms())) return;
      close(*found);
      server->idle_.erase(found);
      return;
    }
  }
}

}  // namespace baton::upstream
