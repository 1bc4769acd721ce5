// One worker thread: its loop, connections, pools and counters. Everything here is called in that thread, except
// `loop().post` and `loop().call`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "handoff/parties.hpp"
#include "proxy/access_log/entry.hpp"
#include "proxy/canary/experiment.hpp"
#include "proxy/canary/failure.hpp"
#include "proxy/metrics/tally.hpp"
#include "proxy/runtime/deadlines.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/runtime/pipe.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/upstream/pool.hpp"
#include "proxy/worker/connection.hpp"
#include "proxy/worker/settings.hpp"
#include "proxy/worker/shared.hpp"
#include "proxy/worker/verifier.hpp"

namespace baton::proxy {

// A listening socket as the workers see it; the server owns the descriptor.
struct ListeningSocket {
  std::string listener;
  std::string tunnel_to;                    // the upstream of a tcp listener; empty: http
  bool tls = false;
  bool is_arriving = false;  // its connections begin as state::Arriving
  int keepalive_s = 0;       // TCP_KEEPIDLE of its connections; 0: no probes
  int descriptor = -1;
  bool unix_path = false;
};

// Of this process, for those who judge it; what operators see is in metrics::ledger().
struct Counters {
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;               // of the requests: ended with a 5xx
  std::uint64_t tunnels = 0;                // of tcp listeners, that reached a server
  std::uint64_t tunnels_unreached = 0;      // and those that ended without one

  Counters& operator+=(const Counters& other) {
    accepted += other.accepted;
    requests += other.requests;
    failures += other.failures;
    tunnels += other.tunnels;
    tunnels_unreached += other.tunnels_unreached;
    return *this;
  }
};

// By what they speak: listener, protocol, TLS.
struct OpenCounts {
  std::uint64_t connections = 0;
  std::uint64_t exchanges = 0;
};
using OpenConnections = std::map<std::tuple<std::string, metrics::Protocol, metrics::TlsVersion>, OpenCounts>;

// By state, under the names of state::phase_name.
struct ConnectionCounts {
  std::uint64_t idle = 0;
  std::uint64_t head = 0;
  std::uint64_t exchange = 0;
  std::uint64_t tunnel = 0;
  std::uint64_t closing = 0;
  std::uint64_t upstream_idle = 0;          // connections to servers
  OpenConnections open;

  ConnectionCounts& operator+=(const ConnectionCounts& more) {
    idle += more.idle;
    head += more.head;
    exchange += more.exchange;
    tunnel += more.tunnel;
    closing += more.closing;
    upstream_idle += more.upstream_idle;
    for (const auto& [of, counts] : more.open) {
      open[of].connections += counts.connections;
      open[of].exchanges += counts.exchanges;
    }
    return *this;
  }
};

class Worker final : private http1::ServerNames {
 public:
  // `access_log` may be null; it outlives the worker, or lasts until `reconfigure` replaces it.
  Worker(std::shared_ptr<const Settings> settings, Shared& shared, access_log::AccessLog* access_log, unsigned number);
  ~Worker();

  void run();                                // until loop().stop()

  // ── For connections ───────────────────────────────────────────────────────────────────────────────────────────
  runtime::Loop& loop() { return loop_; }
  runtime::Deadlines& deadlines() { return deadlines_; }
  bool has_socket_for_server() const { return shared_.has_socket_for_server(); }
  bool has_all_upstream_connections() const { return shared_.has_all_upstream_connections(); }
  // A request waits for that: workers close idle ones.
  void note_upstream_missed() { shared_.upstream_missed_ms.store(now_ms(), std::memory_order_relaxed); }
  upstream::Pool& pool() { return pool_; }
  const Settings& settings() const { return *settings_; }
  const engine::Rules& rules() const { return settings_->rules; }
  std::int64_t now_ms() const { return loop_.now_ms(); }
  engine::Context context(const engine::Rules* rules, std::string_view client_address, unsigned servers,
                          bool last_response) {
    return {.rules = rules,
            .scratch = scratch_,
            .client_address = client_address,
            .now_ms = loop_.now_ms(),
            .unix_us = loop_.now_ms() * 1000 + unix_offset_us_,
            .servers = servers,
            .server_names = this,
            .closing = stopping_ || last_response,
            .routes = &settings_->routes,
            .clients = clients_,
            .maintenance = shared_.maintenance.load(std::memory_order_relaxed)};
  }
  // Valid until the worker is reconfigured; nullptr: this configuration has no such listener.
  const ListenerRules* listener_rules(std::string_view name) const { return settings_->find_rules(name); }
  // The engine's question. nullptr: it cannot be answered now.
  std::shared_ptr<Verifier::Question> ask_verifier(std::function<void(bool)> then);
  // Where an exchange without an upstream leg gets its server, by its route; nullptr: this configuration has no such
  // upstream.
  upstream::Upstream* upstream_for(state::Exchange& exchange, const routing::Route* route);
  // The head of a request that has not been sent yet; nullptr for a tunnel.
  const http1::RequestHead* unsent_head(const state::Exchange& exchange, const state::Buffer& unread) {
    return http1::unsent_head(exchange, unread, scratch_);
  }
  // The connection is one of a tcp listener.
  void begin_tunnel(state::ConnectionState& state, std::string_view upstream) const;
  // An exchange, or the client's handshake, has ended. True: the connection has been frozen for a handover.
  bool boundary(Connection& connection);
  // Forgets the head parsed in an earlier turn.
  void begin_turn() {
    scratch_.parsed_for = nullptr;
    scratch_.route = nullptr;
  }
  // The engine's last step has left something for `take_route` or `has_news`.
  bool has_something_to_take() const { return scratch_.route != nullptr || has_news(); }
  // The route that the engine's last step has chosen; nullptr: none.
  const routing::Route* take_route() { return std::exchange(scratch_.route, nullptr); }
  // `share`: how many of the exchanges that ended well are logged, as access_log of routes.
  void log_access(const access_log::Entry& entry, unsigned share) noexcept;
  void note_connect_failure(const state::SocketAddress& server, std::string_view why);
  // The server has broken the protocol on an established connection.
  void note_connection_failure(const state::UpstreamLeg& leg, std::string_view why);
  void note_tls_failure(const state::ConnectionState& state, std::string_view why);
  // A connection is closed before its own protocol began.
  // It does not speak HTTP/2 as it must, or floods us.
  void note_http2_failure(const state::ConnectionState& state, std::string_view why);
  void note_http2_refusal(const state::ConnectionState& state, std::string_view why);
  void note_arrival_failure(const state::ConnectionState& state, std::string_view why);
  // A new connection is closed because its client has enough.
  void note_one_too_many(const state::ConnectionState& state);
  // After each step of the engine: logs what went wrong.
  void note_refusal(const state::ConnectionState& state, const state::ClientSide& side) {
    if (!scratch_.refusal.why.empty()) log_refusal(state, side);
  }
  // After each step: the engine has noticed something.
  bool has_news() const { return scratch_.answered.status != 0 || !scratch_.refusal.why.empty(); }
  // Whether a server failed, and what it answered. (Before `note_refusal`.)
  std::string_view server_failure() const {
    return scratch_.refusal.is_servers() ? scratch_.refusal.why : std::string_view();
  }
  http2::Terms http2_terms() const { return settings_->http2_terms(); }
  // So many more streams of clients are open, or fewer.
  void note_streams(std::ptrdiff_t more) {
    streams_ += static_cast<std::size_t>(more);
    streams_peak_ = std::max(streams_peak_, streams_);
  }
  // A carrier has no streams: it goes to the pool of its server, or ends.
  void pool_or_close(std::unique_ptr<tls::Stream> stream, state::Boxed<state::UpstreamLeg> leg, bool may_be_used_again);
  http2::Scratch& http2_scratch() { return http2_scratch_; }
  // For bytes that pass unseen; nullptr: there can be none now.
  runtime::Pipe* pipe();
  http1::Answered take_answered() { return std::exchange(scratch_.answered, {}); }
  // The refusal will be found again.
  void forget_refusal() { scratch_.refusal = {}; }
  // An exception was thrown: counts and logs it, frees spare memory, and pauses accepting for a moment. `state` is that
  // of the connection that ends because of it.
  void note_failure(const std::exception& error, const state::ConnectionState* state = nullptr) noexcept;
  // The connections that this thread is running, for a keeper.
  keeper::Running& running() { return running_; }
  // The connection ends, or is another process's: a keeper must not find it. Before its descriptor is closed.
  void forget(const Connection& connection) {
    if (shared_.roster != nullptr) shared_.roster->leave(connection.client_descriptor());
  }
  // For new handshakes on the listener; null: it has no TLS (any more).
  std::shared_ptr<const tls::ServerContext> server_context(std::string_view listener) const;
  // The connection is closed: removes it from the list, and frees it after this round of events.
  void remove(Connection& connection);

  // ── Reloading ─────────────────────────────────────────────────────────────────────────────────────────────────
  // Uses this configuration from now on; exchanges under way continue. Not during a handover.
  void reconfigure(std::shared_ptr<const Settings> settings, access_log::AccessLog* access_log);

  // ── Accepting ─────────────────────────────────────────────────────────────────────────────────────────────────
  void accept_on(const std::vector<ListeningSocket>& sockets);
  void stop_accepting();
  // Accepts what is in the queue of a socket that is no longer accepted from.
  void empty_queue(const ListeningSocket& socket);
  // Takes an accepted socket, also from tests.
  void take(handoff::UniqueFd socket, const ListeningSocket& from, const state::SocketAddress& client);

  // ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────────────
  // Each connection ends at its boundary, as its last response announces; tunnels end by themselves. An idle connection
  // stays until its next request has come, since one may be on its way.
  void begin_drain();
  // The same, but idle ones end at once.
  void begin_stop();
  std::size_t cut_all();                     // returns how many
  // Connections still here, including frozen ones.
  std::size_t connections() const { return count_; }
  // Calls `visit` for each one that is not frozen.
  void each(const std::function<void(const state::ConnectionState&)>& visit) const;
  bool stopping() const { return stopping_; }

  // ── Handing over ──────────────────────────────────────────────────────────────────────────────────────────────
  // From now on connections freeze at their boundaries, and after `finish_at_ms` wherever they are. `wake` is called
  // when `freeze_next` may have more to give.
  void begin_handover(std::int64_t finish_at_ms, std::function<void()> wake);
  // The same, but only of the canary's clients, from now on and until `end_handover`: new ones as well, which go before
  // they are read, and without idle connections to servers.
  void begin_canary(std::shared_ptr<canary::Experiment> experiment, std::function<void()> wake);
  // Counts in it what befalls clients; null: no longer.
  void count_in(std::shared_ptr<canary::Experiment> experiment) { experiment_ = std::move(experiment); }
  // Adds to `batch` what fits; false: nothing movable is left.
  bool freeze_next(handoff::Room& room, handoff::Batch& batch);
  void adopted(handoff::ParcelId id);
  void refused(handoff::ParcelId id);
  void take_back(handoff::ParcelId id);
  // The handover has ended, successfully or not; frozen connections that were never offered continue.
  void end_handover();

  // ── Adopting ──────────────────────────────────────────────────────────────────────────────────────────────────
  // Registers it and touches nothing. False: the kernel has no room.
  bool prepare(handoff::ParcelId id, state::Moved moved, std::vector<handoff::UniqueFd> descriptors);
  void start(handoff::ParcelId id);
  void drop(handoff::ParcelId id);

  // ── Counting ──────────────────────────────────────────────────────────────────────────────────────────────────
  Counters counters;
  // Those of the listener's connections; valid until the worker is reconfigured.
  metrics::ListenerCounts& listener_counts(const ListenerRules* listener) {
    return tally_.listener(listener != nullptr ? listener->index : no_index);
  }
  // An exchange that began as a request has ended. `route`: of the configuration in force.
  void count_request(const access_log::Entry& entry, state::Ending ending, const ListenerRules* listener,
                     const routing::Route* route);
  // An exchange has ended that counts for or against this process.
  void note_for_canary(const Connection& connection, unsigned status, state::Ending ending,
                       std::int64_t waited_ms = 0) {
    if (experiment_ != nullptr) count_in_experiment(connection, canary::is_failure(status, ending, waited_ms));
  }
  std::uint64_t generation() const { return shared_.generation; }
  // Adds what this worker has counted to the ledger.
  void settle() noexcept;
  ConnectionCounts count() const;
  // What a handover has yet to offer.
  handoff::Remaining remaining() const;
  // The connections that require more than `features`.
  std::uint64_t count_unknown_to(const std::vector<std::string>& features) const;

 private:
  class Acceptor;

  void append_name_of(const state::UpstreamLeg& server, std::string& out) const override;

  struct FrozenUpstream {
    state::IdleUpstream idle;
    std::unique_ptr<tls::Stream> stream;
  };

  void tick(std::int64_t now_ms);
  // Until the next tick, or until there is room, which is checked at each tick and when a connection is removed.
  enum class Pause { a_moment, until_room };
  void pause_accepting(Pause pause);
  void accepting_may_go_on();
  std::uint64_t next_id() { return id_base_ | ++last_id_; }
  bool may_be_assigned_again(std::uint64_t id) const;
  void flush_access();
  void log_refusal(const state::ConnectionState& state, const state::ClientSide& side);
  void note_server_failure(const state::ConnectionState& state, const state::ClientSide& side, std::string_view why);

  upstream::Upstream* share_for(state::Exchange& exchange, const routing::Route& route);
  void remember(const Connection& connection, bool in_transit = false) {
    if (shared_.roster == nullptr) return;
    shared_.roster->enter(connection.client_descriptor(), connection.state(), in_transit);
  }
  void list(Connection& connection);
  void unlist(Connection& connection);
  // Puts a frozen connection into the batch; one that cannot move, or that there is no memory for, continues here.
  void give(Connection& connection, handoff::Room& room, handoff::Batch& batch);
  void give_idle_upstream(handoff::Room& room, handoff::Batch& batch);
  bool put_at_boundary(Connection& connection) noexcept;
  bool is_of_canary(const Connection& connection) const;
  // Nothing: it does not count.
  std::optional<std::uint64_t> client_in_experiment(const Connection& connection) const;
  void count_in_experiment(const Connection& connection, bool has_failed);
  void count_open_exchanges(std::int64_t now_ms);
  void stay(Connection& connection);
  // OpenSSL keeps its TLS, so it cannot move.
  void stay_where_it_is(Connection& connection);
  void pool_idle_upstream(FrozenUpstream frozen);

  std::shared_ptr<const Settings> settings_;
  const routing::ClientRules* clients_;      // of the settings; nullptr: all by default
  Shared& shared_;                           // outlives the workers
  keeper::Running own_running_;  // without a keeper
  keeper::Running& running_;
  runtime::Loop loop_;
  std::shared_ptr<LoopAddress> loop_address_ = std::make_shared<LoopAddress>(loop_);
  runtime::Deadlines deadlines_;
  upstream::Pool pool_;
  std::vector<upstream::Upstream*> upstreams_;  // in configuration order
  std::map<std::string, routing::Turns, std::less<>> split_turns_;  // of the routes with a split, by name
  static constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();
  void begin_counting(const Settings& settings);

  metrics::Tally tally_;
  metrics::Counter fields_dropped_, aborted_;
  http1::Scratch scratch_;
  http2::Scratch http2_scratch_;
  std::optional<runtime::Pipe> pipe_;        // made when first needed
  std::int64_t no_pipe_before_ms_ = 0;       // trying again would fail again
  std::int64_t unix_offset_us_ = 0;          // CLOCK_REALTIME minus CLOCK_MONOTONIC, updated at each tick
  access_log::AccessLog* access_log_;
  std::string access_lines_;
  std::minstd_rand sampling_{std::random_device{}()};
  std::int64_t next_expiry_ms_ = 0;
  const std::uint64_t id_base_;
  std::uint64_t last_id_ = 0;
  bool stopping_ = false;

  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::optional<Pause> accepting_paused_;
  bool short_of_memory_ = false;             // since the last tick

  Connection* first_ = nullptr;              // the connections that are not frozen, newest first
  std::size_t listed_ = 0;                   // in that list
  std::size_t staying_ = 0;                  // of those: refused by a successor, served here until they end
  std::size_t count_ = 0;                    // all of them
  std::size_t streams_ = 0;                  // of HTTP/2 clients
  std::size_t streams_peak_ = 0;             // the most since the pool was last trimmed

  // The predecessor's side of a handover.
  std::function<void()> wake_;               // empty: no handover
  std::int64_t finish_at_ms_ = 0;
  bool finish_announced_ = false;
  bool final_sweep_ = false;
  Connection* sweep_ = nullptr;              // the next one in the list to look at
  bool only_canary_ = false;                 // only connections of its clients move
  std::shared_ptr<canary::Experiment> experiment_;  // null: there is no canary; on either side
  std::int64_t next_count_open_ms_ = 0;
  std::deque<Connection*> at_boundary_;      // frozen there and not yet offered
  std::unordered_map<handoff::ParcelId, Connection*> offered_;
  std::unordered_map<handoff::ParcelId, FrozenUpstream> offered_upstreams_;

  // The successor's side of a handover.
  std::unordered_map<handoff::ParcelId, std::unique_ptr<Connection>> prepared_;
  std::unordered_map<handoff::ParcelId, FrozenUpstream> prepared_upstreams_;
};

}  // namespace baton::proxy
