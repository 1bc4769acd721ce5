#include "proxy/upstream/pool.hpp"

#include <algorithm>
#include <utility>

namespace baton::upstream {

namespace {

constexpr std::int64_t failure_ms = 5'000;
constexpr std::size_t idle_per_server_max = 1024;

}  // namespace

void Server::note_failure(std::int64_t now_ms) { failed_until_ms_ = now_ms + failure_ms; }

std::vector<std::unique_ptr<Server>> Upstream::update(const UpstreamServers& from) {
  std::vector<std::unique_ptr<Server>> before = std::exchange(servers_, {});
  for (const ServerAddress& wanted : from.servers) {
    const auto kept = std::find_if(before.begin(), before.end(), [&](const auto& server) {
      return server != nullptr && server->address == wanted.address;
    });
    servers_.push_back(kept == before.end() ? std::make_unique<Server>(wanted) : std::move(*kept));
    servers_.back()->weight = static_cast<int>(wanted.weight);
    servers_.back()->turn_ = 0;
  }
  std::erase(before, nullptr);
  return before;
}

Server& Upstream::choose(std::int64_t now_ms) {
  if (servers_.size() == 1) return *servers_.front();
  const bool all_failed = std::all_of(servers_.begin(), servers_.end(),
                                      [&](const auto& server) { return server->failed_until_ms_ > now_ms; });
  Server* best = nullptr;
  int total = 0;
  for (const auto& server : servers_) {
    if (!all_failed && server->failed_until_ms_ > now_ms) continue;
    server->turn_ += server->weight;
    total += server->weight;
    if (best == nullptr || server->turn_ > best->turn_) best = server.get();
  }
  best->turn_ -= total;
  return *best;
}

Server* Upstream::find(const state::SocketAddress& address) {
  const auto found = std::find_if(servers_.begin(), servers_.end(),
                                  [&](const auto& server) { return server->address == address; });
  return found == servers_.end() ? nullptr : found->get();
}

Pool::Pool(runtime::Loop& loop, const std::vector<UpstreamServers>& upstreams) : loop_(loop) {
  for (const auto& upstream : upstreams) upstreams_.emplace(upstream.name, upstream);
}

void Pool::update(const std::vector<UpstreamServers>& upstreams) {
  std::vector<std::unique_ptr<Server>> gone;
  std::map<std::string, Upstream, std::less<>> before = std::exchange(upstreams_, {});
  for (const auto& wanted : upstreams) {
    const auto kept = before.extract(wanted.name);
    if (kept.empty()) {
      upstreams_.emplace(wanted.name, wanted);
      continue;
    }
    for (auto& server : kept.mapped().update(wanted)) gone.push_back(std::move(server));
    upstreams_.emplace(wanted.name, std::move(kept.mapped()));
  }
  for (auto& [name, upstream] : before) {
    for (auto& server : upstream.servers_) gone.push_back(std::move(server));
  }
  for (const auto& server : gone) {
    for (auto& idle : server->idle_) {
      idle.socket->close();
      loop_.dispose(std::move(idle.socket));
      --idle_;
    }
  }
}

Upstream* Pool::find(const std::string& name) {
  const auto found = upstreams_.find(name);
  return found == upstreams_.end() ? nullptr : &found->second;
}

std::unique_ptr<runtime::Socket> Pool::take(Server& server, std::int64_t now_ms, std::int64_t quiet_within_ms) {
  while (!server.idle_.empty()) {
    if (quiet_within_ms != 0 && server.idle_.back().since_ms + quiet_within_ms <= now_ms) return nullptr;
    auto socket = std::move(server.idle_.back().socket);
    server.idle_.pop_back();
    --idle_;
    if (quiet_within_ms == 0 || socket->is_quiet()) return socket;
    socket->close();
    loop_.dispose(std::move(socket));
  }
  return nullptr;
}

void Pool::give(Server& server, std::unique_ptr<runtime::Socket> socket, std::int64_t since_ms) {
  socket->set_owner(*this);
  if (server.idle_.size() >= idle_per_server_max) {
    socket->close();
    loop_.dispose(std::move(socket));
    return;
  }
  server.idle_.push_back({std::move(socket), since_ms});
  ++idle_;
}

void Pool::expire(std::int64_t now_ms, std::int64_t idle_ms) {
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) {
      std::erase_if(server->idle_, [&](Server::Idle& idle) {
        if (idle.since_ms + idle_ms > now_ms) return false;
        idle.socket->close();
        loop_.dispose(std::move(idle.socket));
        --idle_;
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
        server->idle_.front().socket->close();
        loop_.dispose(std::move(server->idle_.front().socket));
        server->idle_.erase(server->idle_.begin());
        --idle_;
      }
    }
  }
  return idle_ != before;
}

bool Pool::leave_one(Leaving& leaving) {
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) {
      if (server->idle_.empty()) continue;
      leaving = {name, server->address, server->idle_.back().since_ms, std::move(server->idle_.back().socket)};
      server->idle_.pop_back();
      --idle_;
      return true;
    }
  }
  return false;
}

// An idle connection has nothing to say: what is readable is an end, an error, or bytes that nobody asked for.
void Pool::on_ready(runtime::Socket& socket) {
  if (!socket.readable()) return;
  for (auto& [name, upstream] : upstreams_) {
    for (const auto& server : upstream.servers_) {
      const auto found = std::find_if(server->idle_.begin(), server->idle_.end(),
                                      [&](const auto& idle) { return idle.socket.get() == &socket; });
      if (found == server->idle_.end()) continue;
      socket.close();
      loop_.dispose(std::move(found->socket));
      server->idle_.erase(found);
      --idle_;
      return;
    }
  }
}

}  // namespace baton::upstream
