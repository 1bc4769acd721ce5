// The servers of the upstreams as one worker thread sees them: whose turn it is, who failed lately, and the idle
// connections to each.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/state/address.hpp"
#include "proxy/tls/client_context.hpp"
#include "proxy/tls/stream.hpp"

namespace baton::upstream {

// From the configuration, names looked up: one for each address.
struct ServerAddress {
  state::SocketAddress address;
  unsigned weight = 1;
  std::string host{};                  // as the configuration has it: what a certificate must name
  bool operator==(const ServerAddress&) const = default;
};
struct UpstreamServers {
  std::string name;
  std::vector<ServerAddress> servers;
  std::shared_ptr<const tls::ClientContext> tls{};   // none: plain

  // Under which settings connections to one of them are made: "" for plain ones.
  std::string terms(const ServerAddress& server) const { return tls ? tls->terms() + " host=" + server.host : ""; }
};

class Pool;

// A connection to a server that has no client now.
struct IdleConnection {
  std::unique_ptr<tls::Stream> stream;
  state::Leg leg;
  std::int64_t since_ms = 0;
};

class Server final : public tls::SessionSink {
 public:
  Server(const ServerAddress& from, std::string made_under)
      : address(from.address), host(from.host), terms(std::move(made_under)), weight(static_cast<int>(from.weight)) {
    sessions_.reserve(sessions_kept);
  }

  const state::SocketAddress address;
  const std::string host;
  const std::string terms;             // a connection made under others is not used (state::terms_of)

  // A connect has failed: others are preferred for a while.
  void note_failure(std::int64_t now_ms);
  void note_success() { failed_until_ms_ = 0; }

  // TLS sessions to resume; each is taken once (RFC 8446 §C.4). OpenSSL calls `keep`, so it throws nothing.
  void keep(tls::SessionPtr session) override;
  tls::SessionPtr take_session();

 private:
  friend class Upstream;
  friend class Pool;

  static constexpr std::size_t sessions_kept = 4;

  int weight;
  int turn_ = 0;                       // smooth weighted round robin: who has the most goes next
  std::int64_t failed_until_ms_ = 0;
  unsigned missed_ = 0;                // Pool::adopt
  std::deque<IdleConnection> idle_;    // by their time; the one used last is taken first, so that the others grow old
  std::vector<tls::SessionPtr> sessions_;
};

class Upstream {
 public:
  explicit Upstream(const UpstreamServers& from);

  const std::string& name() const { return name_; }
  // nullptr: its servers speak no TLS.
  const tls::ClientContext* tls() const { return tls_.get(); }
  unsigned servers() const { return static_cast<unsigned>(servers_.size()); }
  // The server whose turn it is; one that failed lately only if all did.
  Server& choose(std::int64_t now_ms);
  // nullptr: it has no such server, or has it under other terms.
  Server* find(const state::SocketAddress& address, std::string_view terms = {});

 private:
  friend class Pool;
  // Takes over what of these servers it has itself, and leaves the others where they are. Throws nothing.
  void keep_from(Upstream& before);

  std::string name_;
  std::shared_ptr<const tls::ClientContext> tls_;
  std::vector<std::unique_ptr<Server>> servers_;
};

// Owns the idle connections of its thread and closes those that end, speak out of turn or grow old.
class Pool final : public runtime::SocketOwner {
 public:
  Pool(runtime::Loop& loop, const std::vector<UpstreamServers>& upstreams);

  // A new configuration: servers that are still in it keep their idle connections and what is known of them; those of
  // the others are closed. Pointers to upstreams, and to servers that are gone, are not valid any more. What throws has
  // changed nothing.
  void update(const std::vector<UpstreamServers>& upstreams);

  Upstream* find(const std::string& name);

  // An idle connection to the server, or none (no stream). With `quiet_within_ms` only one that has been idle for less, and
  // that a look has just shown open: for requests that must not be sent twice.
  IdleConnection take(Server& server, std::int64_t now_ms, std::int64_t quiet_within_ms);
  // It takes its place by `since_ms`: what comes from another process may be older than what is here.
  void give(Server& server, IdleConnection idle);

  // One that another process had. Where a connection was asked for since `begin_adopting` and there was none, somebody
  // had to connect, and one that comes now would be one too many: it is closed.
  void adopt(Server& server, IdleConnection idle);
  void begin_adopting();

  void expire(std::int64_t now_ms, std::int64_t idle_ms);
  // Closes the oldest of each server in turn until at most `most` are left. True: some were closed.
  bool trim(std::size_t most);
  std::size_t idle() const { return idle_; }

  // Takes one out, for a handover: of a server's the oldest.
  struct Leaving {
    std::string upstream;
    state::SocketAddress server;
    IdleConnection connection;
  };
  bool leave_one(Leaving& leaving);

  void on_ready(runtime::Socket& socket) override;

 private:
  void close(IdleConnection& idle);

  runtime::Loop& loop_;                // outlives the pool
  std::map<std::string, Upstream, std::less<>> upstreams_;
  std::size_t idle_ = 0;
};

}  // namespace baton::upstream
