// What a process knows of one server of an upstream, shared by its workers; and all such servers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "handoff/guarded.hpp"
#include "proxy/metrics/families.hpp"
#include "proxy/metrics/tally.hpp"
#include "proxy/runtime/keyed_hash.hpp"
#include "proxy/state/server_facts.hpp"
#include "proxy/upstream/loads.hpp"
#include "proxy/upstream/suspicion.hpp"

namespace baton::upstream {

struct UpstreamServers;
class Queue;

// What the configuration says of a server, as far as its standing depends on it.
struct Terms {
  unsigned weight = 1;
  bool drain = false;
  unsigned configured_weight = 0;  // if name servers say `weight`: what the file says; 0: the same
  bool backup = false;

  unsigned weight_in_file() const { return configured_weight != 0 ? configured_weight : weight; }
  bool operator==(const Terms&) const = default;
};

// Response times in steps of about a half, in milliseconds.
class Latencies {
 public:
  void add(std::int64_t elapsed_ms) {
    ++counts_[step_of(elapsed_ms)];
    is_empty_ = false;
  }
  void operator+=(const Latencies& more);
  std::uint64_t count() const;
  bool is_empty() const { return is_empty_; }
  // The upper end of the step in which this share of all times ends; 0: there are none.
  std::uint64_t quantile_ms(double share) const;

  // For another process; one with other steps gets none.
  std::span<const std::uint64_t> counts() const { return counts_; }
  void set_counts(std::span<const std::uint64_t> counts);

 private:
  static constexpr std::size_t steps = 40;
  static std::size_t step_of(std::int64_t elapsed_ms);
  static std::uint64_t end_of(std::size_t step);

  std::array<std::uint64_t, steps> counts_{};
  bool is_empty_ = true;
};

// What one worker counts of a server, for itself.
struct ServerCounts {
  std::uint64_t requests = 0;  // sent to it
  std::uint64_t failures = 0;  // that did not get a response, and connects that failed
  Latencies latencies;         // from the request's last byte to the response's head
  bool is_empty() const { return requests == 0 && failures == 0 && latencies.is_empty(); }
};

class Standing {
 public:
  Standing(std::string of, std::string at) : upstream(std::move(of)), address(std::move(at)) {}

  const std::string upstream;
  const std::string address;  // SocketAddress::text

  // ── For each request; any thread ──────────────────────────────────────────────────────────────────────────────
  // It is neither drained, down nor ejected.
  bool takes_requests(std::int64_t now_ms) const { return closed_until_ms_.load(std::memory_order_relaxed) <= now_ms; }
  // The same for a client that belongs to it: such a one may also go to a drained server.
  bool takes_its_clients(std::int64_t now_ms) const { return shut_until_ms_.load(std::memory_order_relaxed) <= now_ms; }
  // An operator took it out of service: even if no server is up, it gets no request.
  bool is_withdrawn() const { return withdrawn_.load(std::memory_order_relaxed); }
  unsigned weight() const { return weight_.load(std::memory_order_relaxed); }
  std::int64_t slow_since_ms() const { return slow_since_ms_.load(std::memory_order_relaxed); }

  // ── Seldom; any thread ────────────────────────────────────────────────────────────────────────────────────────
  state::ServerFacts facts() const;
  // `change` gets the facts under the lock. It must be quick. A server that was down and is not any more starts slowly.
  void change(const std::function<void(state::ServerFacts&)>& change);
  // From another process: of each kind of fact, what was found out last.
  void learn(const state::ServerFacts& theirs);

  // The configuration in force. An order ends when the configuration no longer says what it said then. A server that
  // is new to a running process starts slowly.
  void configure(const Terms& terms, bool is_new, std::int64_t now_ms);
  // No longer in the configuration.
  void remove();
  void forget_order();
  bool is_configured() const;
  Terms terms() const;

  // A worker's counts, and how many of its exchanges have begun or ended since it last said so.
  void add(const ServerCounts& counts, std::int64_t begun, std::int64_t now_ms);
  struct Totals {
    std::int64_t in_flight = 0;
    Latencies latencies;  // of the last one or two minutes
  };
  Totals totals(std::int64_t now_ms);
  // Of earlier generations; they count for another minute.
  void set_latencies_before(const state::ServerRecord& record, std::int64_t now_ms);
  // What a process with another ledger has counted, over all generations. What it said before is not counted again.
  void count_before(std::uint64_t requests, std::uint64_t failures);
  // The same, what it has counted since.
  void count_more(std::uint64_t requests, std::uint64_t failures);

  Suspicion suspicion;  // for `health.passive`

  // Exchanges in flight, only for upstreams whose policy needs it.
  Load load;

 private:
  struct Known {
    state::ServerFacts facts;
    Terms terms;
    bool is_known = false;  // from an earlier configuration or process
    bool is_configured = false;
    metrics::Counter requests, failures;
    std::uint64_t requests_before = 0;  // as a process with another ledger has said
    std::uint64_t failures_before = 0;
    Totals totals;  // of this process; its latencies are those of the current minute
    Latencies last_minute;
    Latencies latencies_before;
    std::int64_t before_ends_ms = 0;
    std::int64_t minute_ends_ms = 0;
  };
  // With the lock held.
  void publish(Known& known);
  void count(Known& known, std::uint64_t requests, std::uint64_t failures) const noexcept;

  // Read for each request and seldom written.
  alignas(64) std::atomic<std::int64_t> closed_until_ms_{0};
  std::atomic<std::int64_t> shut_until_ms_{0};
  std::atomic<std::int64_t> slow_since_ms_{0};
  std::atomic<unsigned> weight_{1};
  std::atomic<bool> withdrawn_{false};

  alignas(64) mutable handoff::Guarded<Known> known_;
};

// The servers of all upstreams of a process. A reload keeps those it names again, an upgrade carries them over.
class Registry {
 public:
  // The same one for the same upstream and address for as long as anybody holds it. Any thread.
  std::shared_ptr<Standing> standing(std::string_view upstream, std::string_view address);
  // The same for the queue of an upstream.
  std::shared_ptr<Queue> queue(std::string_view upstream);
  // nullptr: the configuration in force has no such server. Any thread.
  std::shared_ptr<Standing> find(std::string_view upstream, std::string_view address) const;
  // Those of the configuration in force, by upstream and address.
  std::vector<std::shared_ptr<Standing>> all() const;

  // This configuration is in force from now on. An order for a server whose address has vanished from its name is kept
  // for an hour.
  void put_in_force(const std::vector<UpstreamServers>& upstreams, std::int64_t now_ms);

  // To and from another process; `offset_ms` is CLOCK_REALTIME minus CLOCK_MONOTONIC. Records of servers that this
  // process does not have are ignored, unless there is an order and `put_in_force` is still to come.
  // `counts`: the ledger that both share does not have the records' totals. `totals`: of the ledger.
  std::vector<state::ServerRecord> save(const metrics::Totals& totals, std::int64_t offset_ms, std::int64_t now_ms);
  void restore(const std::vector<state::ServerRecord>& records, bool counts, std::int64_t offset_ms);
  // From one that gives the service back: learns what it knows, and adds what it has counted since it began with
  // `inherited`.
  void add_counted(const std::vector<state::ServerRecord>& records, const std::vector<state::ServerRecord>& inherited,
                   bool counts, std::int64_t offset_ms);

  // For hashes that clients must not be able to aim: of sticky cookies, and of `balance: hash`. The same in all
  // generations of an instance. Set before any worker starts.
  const runtime::HashKey& key() const { return key_; }
  void set_key(const runtime::HashKey& key) { key_ = key; }

  // Used by the main thread only.
  Loads& loads() { return loads_; }
  void prepare_loads_for_successor();

 private:
  using Name = std::pair<std::string, std::string>;

  runtime::HashKey key_ = runtime::HashKey::random();
  struct Servers {
    std::map<Name, std::weak_ptr<Standing>> by_name;
    std::map<std::string, std::weak_ptr<Queue>, std::less<>> queues;
    struct Absent {
      std::shared_ptr<Standing> standing;
      std::int64_t until_ms = 0;
    };
    std::map<Name, Absent> absent;  // have an order, and their names do not have them now
    bool are_known = false;  // there was a configuration in force, here or in the predecessor
  };
  void settle_loads(Servers& servers, const std::vector<UpstreamServers>& upstreams);
  static void keep_orders(Servers& servers, const std::vector<UpstreamServers>& upstreams,
                          const std::set<const Standing*>& configured, std::int64_t now_ms);

  mutable handoff::Guarded<Servers> servers_;
  Loads loads_;
};

}  // namespace baton::upstream
