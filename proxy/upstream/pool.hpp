// The servers of the upstreams as one worker thread sees them: whose turn it is, who failed lately, and the idle
// connections to each.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/runtime/socket.hpp"
#include "proxy/state/address.hpp"

namespace baton::upstream {

// From the configuration, names looked up: one for each address.
struct ServerAddress {
  state::SocketAddress address;
  unsigned weight = 1;
  bool operator==(const ServerAddress&) const = default;
};
struct UpstreamServers {
  std::string name;
  std::vector<ServerAddress> servers;
  bool operator==(const UpstreamServers&) const = default;
};

class Pool;

class Server {
 public:
  Server(const ServerAddress& from) : address(from.address), weight(static_cast<int>(from.weight)) {}

  const state::SocketAddress address;

  // A connect has failed: others are preferred for a while.
  void note_failure(std::int64_t now_ms);
  void note_success() { failed_until_ms_ = 0; }

 private:
  friend class Upstream;
  friend class Pool;

  struct Idle {
    std::unique_ptr<runtime::Socket> socket;
    std::int64_t since_ms = 0;
  };

  int weight;
  int turn_ = 0;                       // smooth weighted round robin: who has the most goes next
  std::int64_t failed_until_ms_ = 0;
  std::vector<Idle> idle_;             // the one used last is taken first
};

class Upstream {
 public:
  explicit Upstream(const UpstreamServers& from) : name_(from.name) { update(from); }

  const std::string& name() const { return name_; }
  unsigned servers() const { return static_cast<unsigned>(servers_.size()); }
  // The server whose turn it is; one that failed lately only if all did.
  Server& choose(std::int64_t now_ms);
  Server* find(const state::SocketAddress& address);

 private:
  friend class Pool;
  // Returns the servers that are in it no more.
  std::vector<std::unique_ptr<Server>> update(const UpstreamServers& from);

  std::string name_;
  std::vector<std::unique_ptr<Server>> servers_;
};

// Owns the idle connections of its thread and closes those that end, speak out of turn or grow old.
class Pool final : public runtime::SocketOwner {
 public:
  Pool(runtime::Loop& loop, const std::vector<UpstreamServers>& upstreams);

  // A new configuration: servers that are still in it keep their idle connections and what is known of them; those of
  // the others are closed. Pointers to what is gone are not valid any more.
  void update(const std::vector<UpstreamServers>& upstreams);

  Upstream* find(const std::string& name);

  // An idle connection to the server, or nothing. With `quiet_within_ms` only one that has been idle for less, and
  // that a look has just shown open: for requests that must not be sent twice.
  std::unique_ptr<runtime::Socket> take(Server& server, std::int64_t now_ms, std::int64_t quiet_within_ms);
  void give(Server& server, std::unique_ptr<runtime::Socket> socket, std::int64_t since_ms);

  void expire(std::int64_t now_ms, std::int64_t idle_ms);
  // Closes the oldest of each server in turn until at most `most` are left. True: some were closed.
  bool trim(std::size_t most);
  std::size_t idle() const { return idle_; }

  // Takes one out, for a handover.
  struct Leaving {
    std::string upstream;
    state::SocketAddress server;
    std::int64_t since_ms = 0;
    std::unique_ptr<runtime::Socket> socket;
  };
  bool leave_one(Leaving& leaving);

  void on_ready(runtime::Socket& socket) override;

 private:
  runtime::Loop& loop_;                // outlives the pool
  std::map<std::string, Upstream, std::less<>> upstreams_;
  std::size_t idle_ = 0;
};

}  // namespace baton::upstream
