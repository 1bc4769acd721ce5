// One worker thread's world: its loop, its connections, its pools and its counters. Everything here is called in that
// thread, but for `loop().post` and `loop().call`.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "handoff/parties.hpp"
#include "proxy/admin/status.hpp"
#include "proxy/worker/connection.hpp"
#include "proxy/runtime/deadlines.hpp"
#include "proxy/runtime/loop.hpp"
#include "proxy/worker/settings.hpp"
#include "proxy/state/codec.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::proxy {

// What the workers of a process have in common.
struct Shared {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> connections_max{0};   // 0: no limit
  std::atomic<std::uint64_t> sockets{0};           // of connections, and idle ones to servers
  std::atomic<std::uint64_t> sockets_max{0};       // how many of those the process may have; 0: no limit
  std::uint64_t generation = 1;

  std::atomic<std::uint64_t> adopted{0};           // connections, in the handover that is on

  // In a handover newcomers get no place of what is still to come.
  void expect(const handoff::Remaining& remaining) {
    if (remaining == handoff::Remaining{}) adopted = 0;
    expected_connections_ = remaining.connections;
    expected_sockets_ = remaining.descriptors;
  }
  bool is_full() const { return has_all_connections() || !has_sockets_for_newcomer(); }
  const char* why_full() const {
    if (has_all_connections()) return "the limit of connections is reached";
    if (expected_sockets_ != 0) return "the places that are left are kept for what is still to move";
    return "the descriptors that are left are kept for what is accepted already; raise the limit of open files "
           "(LimitNOFILE, ulimit -n)";
  }
  // The limit of connections is reached.
  bool has_all_connections() const {
    const std::uint64_t most = connections_max.load(std::memory_order_relaxed);
    return most != 0 && counted().clients >= most;
  }
  // A newcomer needs a socket, and sooner or later a second one for its server. An idle client has none for a server,
  // so there may be more clients than could all be served at once; the share keeps enough sockets for those that ask.
  bool has_sockets_for_newcomer() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    const Counted all = counted();
    return most == 0 || all.clients + 1 + std::max(all.upstreams + 1, most / upstream_share) <= most;
  }
  // So few that idle connections to servers give theirs up: for newcomers, and for clients of other workers.
  bool has_few_sockets_left() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    return most != 0 && sockets.load(std::memory_order_relaxed) + most / last_share + 1 >= most;
  }
  // For a client that is here already.
  bool has_socket_for_server() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    return most == 0 || sockets.load(std::memory_order_relaxed) < most;
  }
  // Whether there is room for all that is still to come.
  bool has_sockets_for_expected() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    const Counted all = counted();
    return most == 0 || all.clients + all.upstreams <= most;
  }

 private:
  static constexpr std::uint64_t upstream_share = 5;  // one in five is kept for connections to servers,
  static constexpr std::uint64_t last_share = 16;     // and one in sixteen is kept free of idle ones

  // Sockets, and what is expected as if it were here. While something is, each newcomer counts with its second one.
  struct Counted {
    std::uint64_t clients;
    std::uint64_t upstreams;
  };
  Counted counted() const {
    const std::uint64_t open = sockets.load(std::memory_order_relaxed);
    const std::uint64_t here = connections.load(std::memory_order_relaxed);
    const std::uint64_t expected = expected_sockets_.load(std::memory_order_relaxed);
    const std::uint64_t adopted_here = expected == 0 ? here : std::min(here, adopted.load(std::memory_order_relaxed));
    const std::uint64_t needed = std::max(open, here + (here - adopted_here)) + expected;
    const std::uint64_t clients = here + expected_connections_.load(std::memory_order_relaxed);
    return {clients, needed - std::min(needed, clients)};
  }

  std::atomic<std::uint64_t> expected_connections_{0};
  std::atomic<std::uint64_t> expected_sockets_{0};
};

// A listening socket as the workers see it; the descriptor belongs to the server.
struct ListeningSocket {
  std::string listener;
  std::string tunnel_to;                    // the upstream of a tcp listener; empty: http
  bool tls = false;
  int descriptor = -1;
  bool unix_path = false;
};

struct Counters {
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;               // of those: ended with a 5xx
  std::uint64_t tunnels = 0;                // of TCP listeners, that reached a server
  std::uint64_t tunnels_unreached = 0;      // and that ended without
  std::uint64_t fields_dropped = 0;         // of requests, for the underscores in their names
  std::uint64_t aborted = 0;                // connections reset because serving them failed, for want of memory

  Counters& operator+=(const Counters& other) {
    accepted += other.accepted;
    requests += other.requests;
    failures += other.failures;
    tunnels += other.tunnels;
    tunnels_unreached += other.tunnels_unreached;
    fields_dropped += other.fields_dropped;
    aborted += other.aborted;
    return *this;
  }
};

class Worker {
 public:
  // `access_log` may be none; it outlives the worker, or a `reconfigure` that gives another.
  Worker(std::shared_ptr<const Settings> settings, Shared& shared, runtime::AccessLog* access_log, unsigned number);
  ~Worker();

  void run();                                // until loop().stop()

  // ── For connections ───────────────────────────────────────────────────────────────────────────────────────────
  runtime::Loop& loop() { return loop_; }
  runtime::Deadlines& deadlines() { return deadlines_; }
  bool has_socket_for_server() const { return shared_.has_socket_for_server(); }
  upstream::Pool& pool() { return pool_; }
  const Settings& settings() const { return *settings_; }
  const engine::Rules& rules() const { return settings_->rules; }
  std::int64_t now_ms() const { return loop_.now_ms(); }
  engine::Context context(const engine::Rules& rules, std::string_view client_address, unsigned servers,
                          bool last_response) {
    return {.rules = rules,
            .scratch = scratch_,
            .client_address = client_address,
            .now_ms = loop_.now_ms(),
            .unix_us = loop_.now_ms() * 1000 + unix_offset_us_,
            .servers = servers,
            .closing = stopping_ || last_response,
            .routes = &settings_->routes};
  }
  bool has_listener(const std::string& name) const;
  // Where the servers of an exchange without an upstream leg come from; nullptr: this configuration has no such upstream.
  upstream::Upstream* upstream_for(const state::Exchange& exchange);
  // An exchange, or the client's handshake, has ended. True: the connection has been frozen for a handover.
  bool boundary(Connection& connection);
  // Heads that were parsed before are not looked up any more.
  void begin_turn() { scratch_.parsed_for = nullptr; }
  void log_access(const state::ConnectionState& state, const state::Exchange& exchange) noexcept;
  void note_connect_failure(const state::SocketAddress& server, std::string_view why);
  void note_tls_failure(const state::ConnectionState& state, std::string_view why);
  // After each step of the engine: why it answered by itself, if it did.
  void note_refusal(const state::ConnectionState& state) {
    if (scratch_.refusal.status != 0) log_refusal(state);
  }
  // After each exchange: what the engine has counted since.
  void count_fields_dropped() { counters.fields_dropped += std::exchange(scratch_.fields_dropped, 0); }
  // Something has thrown: it is counted and logged, memory is given back, and accepting pauses for a moment. `state` is
  // of the connection that ends for it.
  void note_failure(const std::exception& error, const state::ConnectionState* state = nullptr) noexcept;
  // For new handshakes on the listener; none: it has no TLS (any more).
  std::shared_ptr<const tls::ServerContext> server_context(const std::string& listener) const;
  // It is closed: forget it, and free it after this round of events.
  void remove(Connection& connection);

  // ── Reloading ─────────────────────────────────────────────────────────────────────────────────────────────────
  // From now on this configuration; exchanges that have begun go on. Not during a handover.
  void reconfigure(std::shared_ptr<const Settings> settings, runtime::AccessLog* access_log);

  // ── Accepting ─────────────────────────────────────────────────────────────────────────────────────────────────
  void accept_on(const std::vector<ListeningSocket>& sockets);
  void stop_accepting();
  // Accepts what is in the queue of a socket that nobody goes on with.
  void empty_queue(const ListeningSocket& socket);
  // An accepted socket, also from tests.
  void take(handoff::UniqueFd socket, const ListeningSocket& from, const state::SocketAddress& client);

  // ── Stopping ──────────────────────────────────────────────────────────────────────────────────────────────────
  // Each connection ends at its boundary, which its last response says, and tunnels at their own end. A request may be on
  // its way on an idle one, so that stays until it has come.
  void begin_drain();
  // The same, but idle ones end at once.
  void begin_stop();
  std::size_t cut_all();                     // how many that was
  // Connections still here, frozen ones included.
  std::size_t connections() const { return count_; }
  bool stopping() const { return stopping_; }

  // ── Handing over ──────────────────────────────────────────────────────────────────────────────────────────────
  // From now on connections freeze at their boundaries; after `finish_at_ms` wherever they are. `wake` is called when
  // `freeze_next` may have more to give.
  void begin_handover(std::int64_t finish_at_ms, std::function<void()> wake);
  // Adds to `batch` what fits; false: nothing movable is left.
  bool freeze_next(handoff::Room& room, handoff::Batch& batch);
  void adopted(handoff::ParcelId id);
  void refused(handoff::ParcelId id);
  void take_back(handoff::ParcelId id);
  // The handover is over, one way or the other; what is frozen and was never offered goes on.
  void end_handover();

  // ── Adopting ──────────────────────────────────────────────────────────────────────────────────────────────────
  // Registers it and touches nothing. False: the kernel has no room.
  bool prepare(handoff::ParcelId id, state::Moved moved, std::vector<handoff::UniqueFd> descriptors);
  void start(handoff::ParcelId id);
  void drop(handoff::ParcelId id);

  // ── Counting ──────────────────────────────────────────────────────────────────────────────────────────────────
  Counters counters;
  void count(admin::Connections& into) const;
  // What a handover has not offered yet, and is going to.
  handoff::Remaining remaining() const;
  // Those that require more than `features`.
  std::uint64_t count_unknown_to(const std::vector<std::string>& features) const;

 private:
  class Acceptor;

  struct FrozenUpstream {
    state::IdleUpstream idle;
    std::unique_ptr<tls::Stream> stream;
  };

  void tick(std::int64_t now_ms);
  // Until the next tick, or until there is room, which is looked for at each tick and when a connection is removed.
  enum class Pause { a_moment, until_room };
  void pause_accepting(Pause pause);
  void accepting_may_go_on();
  std::uint64_t next_id() { return id_base_ | ++last_id_; }
  bool is_from_successor(std::uint64_t id) const;
  void flush_access();
  void log_refusal(const state::ConnectionState& state);

  void list(Connection& connection);
  void unlist(Connection& connection);
  // Puts a frozen connection into the batch; one that cannot move at all, or that there is no memory for, goes on here.
  void give(Connection& connection, handoff::Room& room, handoff::Batch& batch);
  void give_idle_upstream(handoff::Room& room, handoff::Batch& batch);
  bool put_at_boundary(Connection& connection) noexcept;
  void stay(Connection& connection);
  // OpenSSL keeps its TLS, so it cannot move.
  void stay_where_it_is(Connection& connection);
  void pool_idle_upstream(FrozenUpstream frozen);

  std::shared_ptr<const Settings> settings_;
  Shared& shared_;                           // outlives the workers
  runtime::Loop loop_;
  runtime::Deadlines deadlines_;
  upstream::Pool pool_;
  std::vector<upstream::Upstream*> upstreams_;  // in the order of the configuration
  http1::Scratch scratch_;
  std::int64_t unix_offset_us_ = 0;          // CLOCK_REALTIME minus CLOCK_MONOTONIC, read anew at each tick
  runtime::AccessLog* access_log_;
  std::string access_lines_;
  std::int64_t next_expiry_ms_ = 0;
  std::map<std::string, std::int64_t> next_failure_line_ms_;   // by the server's address
  std::int64_t next_tls_line_ms_ = 0;
  std::int64_t next_pause_line_ms_ = 0;
  std::int64_t next_abort_line_ms_ = 0;
  const std::uint64_t id_base_;
  std::uint64_t last_id_ = 0;
  bool stopping_ = false;

  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::optional<Pause> accepting_paused_;
  bool short_of_memory_ = false;             // since the last tick

  Connection* first_ = nullptr;              // the connections that are not frozen, the newest first
  std::size_t listed_ = 0;                   // in that list
  std::size_t staying_ = 0;                  // of those: refused by a successor, served here to their end
  std::size_t count_ = 0;                    // all of them

  // A handover's side of the predecessor.
  std::function<void()> wake_;               // empty: no handover
  std::int64_t finish_at_ms_ = 0;
  bool finish_announced_ = false;
  bool final_sweep_ = false;
  Connection* sweep_ = nullptr;              // the next in the list to look at
  std::deque<Connection*> at_boundary_;      // frozen there and not yet offered
  std::unordered_map<handoff::ParcelId, Connection*> offered_;
  std::unordered_map<handoff::ParcelId, FrozenUpstream> offered_upstreams_;

  // A handover's side of the successor.
  std::unordered_map<handoff::ParcelId, std::unique_ptr<Connection>> prepared_;
  std::unordered_map<handoff::ParcelId, FrozenUpstream> prepared_upstreams_;
};

}  // namespace baton::proxy
