// Which server of an upstream a request goes to.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "proxy/state/failed_servers.hpp"
#include "proxy/upstream/pool.hpp"

namespace baton::upstream {

using config::Balance;

namespace {

// Servers differ in weight by less than their share of a slow start, so weights are counted in smaller units.
constexpr std::int64_t weight_units = 256;

constexpr int never = std::numeric_limits<int>::max();

// With `balance: hash` a server has at most this much more than its share of the exchanges in flight.
constexpr double load_bound = 1.25;

}  // namespace

// The servers among which a policy chooses: those of the best rank that have room.
class Upstream::Candidates {
 public:
  Candidates(Upstream& upstream, std::int64_t now_ms, int rank, std::span<const Server* const> failed)
      : upstream_(upstream), now_ms_(now_ms), rank_(rank), failed_(failed) {}

  template <class Visit>
  void each(Visit visit) const {
    for (const auto& server : upstream_.servers_) {
      if (upstream_.rank(*server, now_ms_, failed_) == rank_ && !server->is_full()) {
        visit(*server, upstream_.weight(*server, now_ms_));
      }
    }
  }

 private:
  Upstream& upstream_;
  const std::int64_t now_ms_;
  const int rank_;
  const std::span<const Server* const> failed_;
};

// The lower the better.
int Upstream::rank(const Server& server, std::int64_t now_ms, std::span<const Server* const> failed) const {
  int rank = server.is_backup_ ? 1 : 0;
  if (std::ranges::find(failed, &server) != failed.end()) rank += &server == failed.back() ? 4 : 2;
  if (!server.standing->takes_requests(now_ms)) {
    const bool is_out = balancing_.when_none_is_up == config::WhenNoneIsUp::refuse || server.standing->is_withdrawn();
    if (is_out) return never;
    rank += 16;
  } else if (server.failed_until_ms_ > now_ms) {
    rank += 8;
  }
  return rank;
}

void Upstream::count(std::int64_t now_ms) {
  available_ = 0;
  for (const auto& server : servers_) {
    if (rank(*server, now_ms, {}) != never) ++available_;
  }
  count_again_ms_ = now_ms + 100;
}

std::vector<const Server*> Upstream::failed_of(const state::Exchange& exchange) const {
  std::vector<std::pair<unsigned, const Server*>> places;
  for (const auto& server : servers_) {
    if (const unsigned place = state::place_among_failed(exchange, server->address); place != 0) {
      places.emplace_back(place, server.get());
    }
  }
  std::ranges::sort(places);
  std::vector<const Server*> failed;
  for (const auto& [place, server] : places) failed.push_back(server);
  return failed;
}

// During a slow start it grows from nothing.
std::int64_t Upstream::weight(const Server& server, std::int64_t now_ms) const {
  const std::int64_t whole = weight_units * server.standing->weight();
  const std::int64_t since_ms = server.standing->slow_since_ms();
  const std::int64_t slow_ms = balancing_.slow_start.count();
  if (slow_ms == 0 || since_ms == 0 || now_ms >= since_ms + slow_ms) return whole;
  return std::max<std::int64_t>(whole * std::max<std::int64_t>(now_ms - since_ms, 0) / slow_ms, 1);
}

Server* Upstream::of_client(std::uint64_t tag, std::int64_t now_ms) const {
  const auto found = std::ranges::find_if(servers_, [&](const auto& server) { return server->tag == tag; });
  if (found == servers_.end()) return nullptr;
  Server& server = **found;
  return server.standing->takes_its_clients(now_ms) && server.failed_until_ms_ <= now_ms ? &server : nullptr;
}

Upstream::Choice Upstream::choose(std::int64_t now_ms, const Affinity& affinity,
                                  std::span<const Server* const> failed) {
  if (affinity.sticky != 0) {
    Server* const server = of_client(affinity.sticky, now_ms);
    if (server != nullptr && std::ranges::find(failed, server) == failed.end()) {
      if (server->is_full()) return {nullptr, true, server};
      return {.server = server};
    }
  }
  int best = never;
  bool has_room = false;
  for (const auto& server : servers_) {
    const int rank = this->rank(*server, now_ms, failed);
    if (rank > best || rank == never) continue;
    has_room = (rank == best && has_room) || !server->is_full();
    best = rank;
  }
  if (best == never || !has_room) return {.is_full = best != never};
  if (servers_.size() == 1) return {.server = servers_.front().get()};
  // Other workers may fill the last one meanwhile.
  Server* const server = pick(Candidates(*this, now_ms, best, failed), affinity.hash);
  return {.server = server, .is_full = server == nullptr};
}

Server* Upstream::pick(const Candidates& candidates, std::uint64_t hash) {
  switch (balancing_.balance) {
    case Balance::round_robin:
      break;
    case Balance::least_connections:
      return least_loaded(candidates);
    case Balance::random_two:
      return better_of_two(candidates);
    case Balance::hash:
      if (hash != 0) return hashed(candidates, hash);
      break;
  }
  return take_turn(candidates);
}

// Smooth weighted round robin, as nginx does it.
Server* Upstream::take_turn(const Candidates& candidates) {
  Server* best = nullptr;
  std::int64_t total = 0;
  candidates.each([&](Server& server, std::int64_t weight) {
    server.turn_ += weight;
    total += weight;
    if (best == nullptr || server.turn_ > best->turn_) best = &server;
  });
  if (best != nullptr) best->turn_ -= total;
  return best;
}

// Among the least loaded ones, in turn.
Server* Upstream::least_loaded(const Candidates& candidates) {
  std::int64_t least = 0;
  std::int64_t of_weight = 0;
  candidates.each([&](Server& server, std::int64_t weight) {
    const std::int64_t load = server.in_flight();
    if (of_weight != 0 && load * of_weight >= least * weight) return;
    least = load;
    of_weight = weight;
  });
  Server* best = nullptr;
  std::int64_t total = 0;
  candidates.each([&](Server& server, std::int64_t weight) {
    if (server.in_flight() * of_weight > least * weight) return;
    server.turn_ += weight;
    total += weight;
    if (best == nullptr || server.turn_ > best->turn_) best = &server;
  });
  // Another worker may have taken the place of each of them meanwhile.
  if (best == nullptr) return take_turn(candidates);
  best->turn_ -= total;
  return best;
}

// xorshift64*.
std::uint64_t Upstream::random() {
  random_ |= 1;
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return random_ * 0x2545f4914f6cdd1dULL;
}

// Two different ones at random, by weight; the one with less to do.
Server* Upstream::better_of_two(const Candidates& candidates) {
  std::int64_t total = 0;
  candidates.each([&](Server&, std::int64_t weight) { total += weight; });
  struct Drawn {
    Server* server = nullptr;
    std::int64_t weight = 0;
  };
  const auto draw = [&](const Server* but) {
    Drawn drawn;
    if (total <= 0) return drawn;
    auto left = static_cast<std::int64_t>((random() >> 1) % static_cast<std::uint64_t>(total));
    candidates.each([&](Server& server, std::int64_t weight) {
      if (drawn.server != nullptr || &server == but) return;
      if (left < weight) drawn = {&server, weight};
      left -= weight;
    });
    return drawn;
  };
  const Drawn one = draw(nullptr);
  if (one.server == nullptr) return take_turn(candidates);
  total -= one.weight;
  const Drawn other = draw(one.server);
  if (other.server == nullptr) return one.server;
  const bool other_is_better = other.server->in_flight() * one.weight < one.server->in_flight() * other.weight;
  return other_is_better ? other.server : one.server;
}

// Weighted rendezvous hashing (Thaler, Ravishankar) with bounded loads (Mirrokni, Thorup, Zadimoghaddam): each server
// has a score of its own for each hash, and the best one below its bound wins. So a server that leaves or is full moves
// only what it had.
Server* Upstream::hashed(const Candidates& candidates, std::uint64_t hash) {
  std::int64_t total_weight = 0;
  std::int64_t in_flight = 1;  // with the one that is to begin
  candidates.each([&](Server& server, std::int64_t weight) {
    total_weight += weight;
    in_flight += server.in_flight();
  });
  const double bound_per_weight = load_bound * static_cast<double>(in_flight) / static_cast<double>(total_weight);
  Server* best = nullptr;
  Server* best_of_all = nullptr;
  double best_score = -1;
  double best_score_of_all = -1;
  candidates.each([&](Server& server, std::int64_t weight) {
    // In (0, 1); more is better, and a weight of 2 is as good as two chances.
    const double drawn = (static_cast<double>(runtime::mix(hash ^ server.tag) >> 11) + 0.5) * 0x1p-53;
    const double score = -static_cast<double>(weight) / std::log(drawn);
    if (score > best_score_of_all) {
      best_score_of_all = score;
      best_of_all = &server;
    }
    const double bound = std::ceil(bound_per_weight * static_cast<double>(weight));
    if (score > best_score && static_cast<double>(server.in_flight()) < bound) {
      best_score = score;
      best = &server;
    }
  });
  return best != nullptr ? best : best_of_all;
}

}  // namespace baton::upstream
