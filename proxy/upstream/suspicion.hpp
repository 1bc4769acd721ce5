// The recent failures of one server, as all workers have seen them: whether they are enough to eject it. A server that
// fails for one client and serves others is not to blame, so while a client is served without a failure, each client
// that has failures counts only once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace baton::upstream {

// Clients are hashes of their addresses. Any thread.
class Suspicion {
 public:
  struct Terms {
    unsigned failures = 5;
    std::int64_t within_ms = 10'000;
  };

  // It has failed lately, so successes matter.
  bool is_suspected() const { return suspected_.load(std::memory_order_relaxed); }
  // True: it has failed often enough; counting begins anew.
  bool note_failure(std::uint64_t client, std::int64_t now_ms, const Terms& terms);
  // For a server that is suspected.
  void note_success(std::uint64_t client, std::int64_t now_ms, const Terms& terms);

 private:
  struct Client {
    std::uint64_t hash;
    std::int64_t last_ms;
  };
  void forget_old(std::int64_t now_ms, const Terms& terms);
  void forget_all();

  static constexpr std::size_t served_kept = 4;

  std::atomic<bool> suspected_{false};
  std::mutex mutex_;                   // for what follows
  std::deque<std::int64_t> failures_;  // their times, at most as many as eject
  std::vector<Client> failing_;        // fewer than that
  std::vector<Client> served_;         // without a failure; the last few
};

}  // namespace baton::upstream
