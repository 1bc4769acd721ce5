// What one worker counts of an upstream, besides what it counts of its servers.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/metrics/tally.hpp"

namespace baton::metrics {

enum class ConnectFailure : std::uint8_t { connect, slow, tls };
inline constexpr std::array<std::string_view, 3> connect_failure_words{"connect", "slow", "tls"};

struct UpstreamCounts {
  Durations connect, first_byte, queue;
  Counter retries, resets;
  std::array<Counter, connect_failure_words.size()> connect_failures;

  // Adds everything to the ledger, as far as there is memory and room for it.
  void settle(std::string_view upstream) noexcept;
};

}  // namespace baton::metrics
