// `health.passive` of one upstream: servers whose exchanges fail are ejected for a time. Shared by the workers; a new
// configuration has another one, and what is known of the servers stays with their standings.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/health.hpp"
#include "proxy/upstream/standing.hpp"

namespace baton::upstream {

struct Ejection {
  std::uint32_t in_a_row = 1;
  std::int64_t ms = 0;
};
// The next ejection of a server: twice as long as the one before, at most ten minutes (or the first, if that is
// longer). Each time as long as the last ejection that has passed since its end takes one back.
Ejection next_ejection(const state::ServerFacts& facts, std::int64_t first_ms, std::int64_t now_ms);

class Ejections {
 public:
  Ejections(std::string upstream, config::PassiveHealth terms, std::vector<std::shared_ptr<Standing>> servers);

  // ── Any thread ────────────────────────────────────────────────────────────────────────────────────────────────
  // An exchange with the server, or the way to it, has failed. `client` is a hash of the client's address.
  void note_failure(Standing& server, std::uint64_t client, std::int64_t now_ms, std::string_view why);
  // The server has answered; some answers are failures.
  bool is_failure(std::uint16_t status) const;
  // Successes matter only while it is suspected.
  bool is_suspected(const Standing& server) const { return server.suspicion.is_suspected(); }
  void note_success(Standing& server, std::uint64_t client, std::int64_t now_ms);

 private:
  bool may_eject(const Standing& server, std::int64_t now_ms) const;

  const std::string upstream_;
  const config::PassiveHealth terms_;
  const Suspicion::Terms suspicion_;
  const std::vector<std::shared_ptr<Standing>> servers_;  // each once
  std::mutex mutex_;  // held while one is ejected, so that together there are never too many
};

}  // namespace baton::upstream
