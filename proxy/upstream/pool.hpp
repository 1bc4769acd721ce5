// The servers of the upstreams as one worker thread sees them: whose turn it is, which failed lately, and the idle
// connections to each.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/balancing.hpp"
#include "proxy/arrival/proxy_header.hpp"
#include "proxy/metrics/upstream_counts.hpp"
#include "proxy/routing/retry_budget.hpp"
#include "proxy/state/address.hpp"
#include "proxy/tls/client_context.hpp"
#include "proxy/tls/stream.hpp"
#include "proxy/upstream/affinity.hpp"
#include "proxy/upstream/ejections.hpp"
#include "proxy/upstream/queue.hpp"
#include "proxy/upstream/standing.hpp"

namespace baton::upstream {

// From the configuration, with names resolved: one for each address.
struct ServerAddress {
  state::SocketAddress address;
  unsigned weight = 1;
  std::string host{};                  // as configured: what a certificate must name
  bool drain = false;
  bool backup = false;
  std::uint64_t max_connections = 0;     // exchanges at a time; 0: no limit
  std::shared_ptr<Standing> standing{};  // of the process; none: only in tests
  unsigned configured_weight = 0;        // if name servers say `weight`; 0: the same
  bool operator==(const ServerAddress&) const = default;
};
struct UpstreamServers {
  std::string name;
  std::vector<ServerAddress> servers;
  std::shared_ptr<const tls::ClientContext> tls{};   // none: plain
  int keepalive_s = 60;                              // of connections to its servers: runtime::keep_alive
  std::optional<arrival::ProxyVersion> proxy_header{};  // that connections begin with; they serve one exchange
  config::Balancing balancing{};
  config::ServerProtocol protocol = config::ServerProtocol::http1;
  bool follows_names = false;                  // its names are looked up again and again
  std::shared_ptr<Queue> queue{};              // of the process; none: requests do not wait
  std::shared_ptr<const Registry> registry{};  // for its key; none: only in tests
  std::shared_ptr<Ejections> ejections{};      // of the process; none: without `health.passive`

  // Its exchanges are counted over all workers.
  bool counts_together(const ServerAddress& server) const {
    return balancing.balance != config::Balance::round_robin || server.max_connections != 0;
  }
  // The settings under which connections to a server are made; "" for plain ones.
  std::string terms(const ServerAddress& server) const { return tls ? tls->terms() + " host=" + server.host : ""; }
};

class Pool;

// A connection to a server that currently has no client; `leg` is as its last exchange left it.
struct IdleConnection {
  std::unique_ptr<tls::Stream> stream;
  state::Boxed<state::UpstreamLeg> leg;
  std::int64_t since_ms = 0;
};

class Server final : public tls::SessionSink {
 public:
  Server(const ServerAddress& from, const UpstreamServers& of);
  ~Server();

  const state::SocketAddress address;
  const std::string host;
  const std::string terms;             // connections made under other terms are not used (state::terms_of)
  const std::shared_ptr<Standing> standing;
  // In the last handshake that could have agreed on HTTP/2.
  enum class Agreed : std::uint8_t { unknown, http1, http2 } agrees_on = Agreed::unknown;

  // Its host and port as a Host field has them (RFC 9110 §7.2): without the default port of its scheme.
  void append_authority(std::string& out) const;

  // In sticky cookies: it names the server to nobody but us. Never 0.
  const std::uint64_t tag;

  // An exchange with it begins and ends. Both are called once for each. `may_begin` counts it unless the server has its
  // max_connections; `begin_exchange` in any case.
  void begin_exchange() {
    ++in_flight_;
    if (counts_together_) standing->load.add(1);
  }
  bool may_begin();
  void end_exchange();
  // The same with a place that was given to it in the queue.
  void begin_exchange(Place place) {
    ++in_flight_;
    if (counts_together_) place.keep();
  }
  // Of all workers, if the policy of its upstream needs it; else of this one.
  std::int64_t in_flight() const { return counts_together_ ? standing->load.here() : in_flight_; }
  bool is_limited() const { return max_connections_ != 0; }
  bool is_full() const { return max_connections_ != 0 && standing->load.everywhere() >= max_connections_; }
  // Of this worker, since they were last settled.
  ServerCounts counts;
  // Adds them to those of the process.
  void settle(std::int64_t now_ms);

  // A connect has failed: other servers are preferred for a while.
  void note_failure(std::int64_t now_ms);
  void note_success() { failed_until_ms_ = 0; }

  // TLS sessions for resumption; each is used once (RFC 8446 §C.4). OpenSSL calls `keep`, so it must not throw.
  void keep(tls::SessionPtr session) override;
  tls::SessionPtr take_session();

 private:
  friend class Upstream;
  friend class Pool;

  static constexpr std::size_t sessions_kept = 4;

  // What the configuration says of it; a reload may change that.
  struct Rank {
    bool is_backup = false;
    bool counts_together = false;
    std::int64_t max_connections = 0;
    std::size_t idle_max = 0;
    std::shared_ptr<Queue> queue{};
    config::ServerProtocol protocol = config::ServerProtocol::http1;
  };
  static Rank rank_of(const ServerAddress& server, const UpstreamServers& of);
  void take_rank(const Rank& rank);

  bool is_backup_ = false;
  bool counts_together_ = false;  // in Standing::load
  std::int64_t max_connections_ = 0;
  std::size_t idle_max_ = 0;
  std::shared_ptr<Queue> queue_;  // none: requests do not wait
  config::ServerProtocol protocol_ = config::ServerProtocol::http1;
  std::int64_t turn_ = 0;         // smooth weighted round robin: the highest goes next
  std::int64_t failed_until_ms_ = 0;
  std::int64_t in_flight_ = 0;
  std::int64_t in_flight_settled_ = 0;
  unsigned missed_ = 0;                // Pool::adopt
  std::deque<IdleConnection> idle_;    // by time; the last used is taken first, so that the others age
  std::vector<tls::SessionPtr> sessions_;
};

class Upstream {
 public:
  explicit Upstream(const UpstreamServers& from);

  const std::string& name() const { return name_; }
  // nullptr: its servers do not use TLS.
  const tls::ClientContext* tls() const { return tls_.get(); }
  // How many servers a request may go to. As it was up to 100 ms ago.
  unsigned servers(std::int64_t now_ms) {
    if (servers_.size() > 1 && now_ms >= count_again_ms_) count(now_ms);
    return available_;
  }
  // Nothing is to be chosen: it has one server, which anybody may use without a limit.
  bool is_single() const { return is_single_; }
  // The only server of a single one; nullptr: it may not be well, see `choose`.
  Server* only_one(std::int64_t now_ms) const {
    Server& server = *servers_.front();
    return server.standing->takes_requests(now_ms) && server.failed_until_ms_ <= now_ms ? &server : nullptr;
  }
  int keepalive_s() const { return keepalive_s_; }
  const std::optional<arrival::ProxyVersion>& proxy_header() const { return proxy_header_; }
  config::ServerProtocol protocol() const { return protocol_; }
  // 0: any number.
  std::uint32_t requests_per_connection() const { return balancing_.keep_alive.requests; }
  // Its connection gets no further request.
  bool is_worn_out(const state::UpstreamLeg& leg, std::int64_t now_ms) const {
    const config::KeepAlive& keep_alive = balancing_.keep_alive;
    return proxy_header_ || (keep_alive.requests != 0 && leg.requests >= keep_alive.requests) ||
           (keep_alive.age.count() != 0 && leg.opened_ms + keep_alive.age.count() <= now_ms);
  }
  // nullptr: requests do not wait.
  const std::shared_ptr<Queue>& queue() const { return queue_; }
  // Gives places that have become free without an exchange's end to those who wait.
  void fill_places(std::int64_t now_ms);
  // nullptr: it has none with this standing.
  Server* with(const Standing& standing) const;
  routing::RetryBudget& retry_budget() { return retry_budget_; }
  const config::Balancing& balancing() const { return balancing_; }
  // Of this worker.
  metrics::UpstreamCounts counts;
  // nullptr: failures of its servers do not eject them.
  Ejections* ejections() const { return ejections_.get(); }
  // Keys of hashes that clients must not be able to aim.
  const runtime::HashKey& key() const { return key_; }

  // The server that a request goes to: of those that take requests and have not failed lately, the one that the policy
  // chooses. If there is none: backup servers; then those that failed lately; then, with `try_all`, all that nobody
  // took out of service. A client goes to the server that its sticky cookie names, if that takes its clients. `failed`
  // are those where the request has failed: they come after the others, backups included, and the last one of them
  // last. Nothing: see `is_full`.
  struct Choice {
    Server* server = nullptr;
    bool is_full = false;          // there are servers, and each has its max_connections; else none is available
    const Server* only = nullptr;  // full, and the client belongs to it
  };
  Choice choose(std::int64_t now_ms, const Affinity& affinity = {}, std::span<const Server* const> failed = {});
  // Its servers that the exchange has failed on, the last one at the end.
  std::vector<const Server*> failed_of(const state::Exchange& exchange) const;
  // nullptr: it has no such server, or has it under other terms.
  Server* find(const state::SocketAddress& address, std::string_view terms = {});
  const Server* find(const state::SocketAddress& address, std::string_view terms = {}) const {
    return const_cast<Upstream*>(this)->find(address, terms);
  }
  // One with this address, under whatever terms.
  const Server* find_any(const state::SocketAddress& address) const;

 private:
  friend class Pool;
  // Takes over the state of those servers that it has too, and leaves the others. Does not throw.
  void keep_from(Upstream& before);

  // balance.cpp
  class Candidates;
  int rank(const Server& server, std::int64_t now_ms, std::span<const Server* const> failed) const;
  std::int64_t weight(const Server& server, std::int64_t now_ms) const;
  Server* of_client(std::uint64_t tag, std::int64_t now_ms) const;
  Server* pick(const Candidates& candidates, std::uint64_t hash);
  static Server* take_turn(const Candidates& candidates);
  static Server* least_loaded(const Candidates& candidates);
  Server* better_of_two(const Candidates& candidates);
  static Server* hashed(const Candidates& candidates, std::uint64_t hash);
  std::uint64_t random();

  std::string name_;
  std::shared_ptr<const tls::ClientContext> tls_;
  int keepalive_s_;
  void count(std::int64_t now_ms);

  unsigned available_ = 1;
  std::int64_t count_again_ms_ = 0;
  std::optional<arrival::ProxyVersion> proxy_header_;
  config::ServerProtocol protocol_;
  config::Balancing balancing_;
  std::shared_ptr<Queue> queue_;
  std::shared_ptr<Ejections> ejections_;
  routing::RetryBudget retry_budget_;
  runtime::HashKey key_;
  std::uint64_t random_;
  std::vector<std::unique_ptr<Server>> servers_;
  bool is_single_;
};

// Owns the idle connections of its thread. Closes those that end, speak out of turn or grow old.
class Pool final : public runtime::SocketOwner {
 public:
  Pool(runtime::Loop& loop, const std::vector<UpstreamServers>& upstreams);

  // A new configuration: servers that remain keep their idle connections and what is known of them; the connections of
  // the others are closed. Pointers to upstreams, and to servers that are gone, become invalid with `forget_replaced`.
  // If it throws, nothing has changed.
  void update(const std::vector<UpstreamServers>& upstreams);
  void forget_replaced() { replaced_.clear(); }

  void fill_places(std::int64_t now_ms);
  // Adds what was counted to the totals of the process.
  void settle(std::int64_t now_ms) noexcept;

  Upstream* find(std::string_view name);
  const Upstream* find(std::string_view name) const { return const_cast<Pool*>(this)->find(name); }

  // An idle connection to the server, or none (no stream). With `quiet_within_ms`, only one that has been idle for less
  // and has just been checked to be open: for requests that must not be sent twice. `may_carry`: it may be one of
  // HTTP/2.
  IdleConnection take(Server& server, std::int64_t now_ms, std::int64_t quiet_within_ms, bool may_carry = false);
  // Inserts it by `since_ms`: one from another process may be older than those here.
  void give(Server& server, IdleConnection&& idle);

  // Adopts one from another process. If a connection was requested since `begin_adopting` and there was none, a new one
  // had to be made, so the adopted one is surplus and is closed.
  void adopt(Server& server, IdleConnection idle);
  void begin_adopting();

  // Closes those that have been idle that long (an upstream's own keep_alive.idle counts for its servers), or whose
  // keep_alive.age is over.
  void expire(std::int64_t now_ms, std::int64_t idle_ms);
  // Closes the oldest of each server in turn until at most `most` are left. True: some were closed.
  bool trim(std::size_t most);
  std::size_t idle() const { return idle_; }

  // Takes one out for a handover: the oldest of a server.
  struct Leaving {
    state::String upstream;
    state::SocketAddress server;
    IdleConnection connection;
  };
  bool leave_one(Leaving& leaving);

  void on_ready(runtime::Socket& socket) override;

 private:
  void close(IdleConnection& idle);

  runtime::Loop& loop_;                // outlives the pool
  std::map<std::string, Upstream, std::less<>> upstreams_;
  std::map<std::string, Upstream, std::less<>> replaced_;  // by the last update
  std::size_t idle_ = 0;
};

}  // namespace baton::upstream
