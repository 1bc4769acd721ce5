// What the workers of a process share: its limits, what counts against them, and the places for newcomers.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "handoff/parties.hpp"
#include "proxy/keeper/roster.hpp"
#include "proxy/worker/failure_lines.hpp"
#include "proxy/worker/verifier.hpp"

namespace baton::proxy {

struct Shared {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> connections_max{0};   // 0: no limit
  std::atomic<std::uint64_t> sockets{0};           // of connections, and idle ones to servers
  std::atomic<std::uint64_t> sockets_max{0};       // for those, in the whole process; 0: no limit
  std::atomic<std::uint64_t> upstream_sockets_max{0};  // of those, connections to servers; 0: no limit
  std::atomic<std::int64_t> upstream_missed_ms{0};     // when a request last found that limit reached
  std::uint64_t generation = 1;
  keeper::Roster* roster = nullptr;  // null: there is no keeper
  std::atomic<bool> maintenance{false};  // switched on by command
  Verifier verifier;
  FailureLines failure_lines;  // in the event log
  LineGate pause_line, abort_line;

  std::atomic<std::uint64_t> adopted{0};           // connections, in the current handover

  // During a handover newcomers get no place that is needed for connections still expected.
  void expect(const handoff::Remaining& remaining) {
    if (remaining == handoff::Remaining{}) adopted = 0;
    expected_connections_ = remaining.connections;
    expected_sockets_ = remaining.descriptors;
  }
  // A canary has these, which may come back; none: there is no canary, or it gives them back already.
  void lend(const handoff::Remaining& lent) {
    lent_connections_ = lent.connections;
    lent_sockets_ = lent.descriptors;
  }
  bool is_full() const { return has_all_connections() || !has_sockets_for_newcomer(); }
  const char* why_full() const {
    if (has_all_connections()) return "the limit of connections is reached";
    if (expected_sockets_ != 0) return "the remaining places are reserved for connections still to move";
    return "the remaining descriptors are reserved for accepted clients; raise the limit of open files "
           "(LimitNOFILE, ulimit -n)";
  }
  // The limit of connections is reached.
  bool has_all_connections() const {
    const std::uint64_t most = connections_max.load(std::memory_order_relaxed);
    return most != 0 && counted().clients >= most;
  }
  // A newcomer needs one socket now and a second one for its server later. Idle clients have no socket for a server, so
  // there may be more clients than could all be served at once; the share keeps enough sockets for those that send
  // requests.
  bool has_sockets_for_newcomer() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    const Counted all = counted();
    return most == 0 || all.clients + 1 + std::max(all.upstreams + 1, most / upstream_share) <= most;
  }
  // So few that idle connections to servers are closed for newcomers and for clients of other workers.
  bool has_few_sockets_left() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    return most != 0 && sockets.load(std::memory_order_relaxed) + most / last_share + 1 >= most;
  }
  // For a client that is already connected.
  bool has_socket_for_server() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    return (most == 0 || sockets.load(std::memory_order_relaxed) < most) && !has_all_upstream_connections();
  }
  // The limit of connections to servers is reached.
  bool has_all_upstream_connections() const {
    const std::uint64_t most = upstream_sockets_max.load(std::memory_order_relaxed);
    return most != 0 && sockets.load(std::memory_order_relaxed) >= connections.load(std::memory_order_relaxed) + most;
  }
  // Whether there is room for everything still to come.
  bool has_sockets_for_expected() const {
    const std::uint64_t most = sockets_max.load(std::memory_order_relaxed);
    const Counted all = counted();
    return most == 0 || all.clients + all.upstreams <= most;
  }

 private:
  static constexpr std::uint64_t upstream_share = 5;  // one in five is kept for connections to servers,
  static constexpr std::uint64_t last_share = 16;     // and one in sixteen is kept free of idle ones

  // Sockets, counting expected ones as open. While any are expected, each newcomer counts with its second socket.
  struct Counted {
    std::uint64_t clients;
    std::uint64_t upstreams;
  };
  Counted counted() const {
    const std::uint64_t open = sockets.load(std::memory_order_relaxed);
    const std::uint64_t here = connections.load(std::memory_order_relaxed);
    const std::uint64_t expected = expected_sockets_.load(std::memory_order_relaxed);
    const std::uint64_t adopted_here = expected == 0 ? here : std::min(here, adopted.load(std::memory_order_relaxed));
    const std::uint64_t needed =
        std::max(open, here + (here - adopted_here)) + expected + lent_sockets_.load(std::memory_order_relaxed);
    const std::uint64_t clients = here + expected_connections_.load(std::memory_order_relaxed) +
                                  lent_connections_.load(std::memory_order_relaxed);
    return {clients, needed - std::min(needed, clients)};
  }

  std::atomic<std::uint64_t> expected_connections_{0};
  std::atomic<std::uint64_t> expected_sockets_{0};
  std::atomic<std::uint64_t> lent_connections_{0};
  std::atomic<std::uint64_t> lent_sockets_{0};
};

}  // namespace baton::proxy
