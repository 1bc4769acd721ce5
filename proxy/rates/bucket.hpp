// The arithmetic of a rate: the generic cell rate algorithm, which is a leaky bucket kept as one time.
//
// A bucket is empty or will be at some time: each request that passes moves that time away by `interval_us`, and one
// that would move it further than `burst_us` from now does not pass.
#pragma once

#include <algorithm>
#include <cstdint>

namespace baton::rates {

// Neither is 0, and the second is a multiple of the first.
struct Rate {
  std::int64_t interval_us = 0;  // between two requests in the long run
  std::int64_t burst_us = 0;     // as many intervals as requests may come at once
  bool operator==(const Rate&) const = default;
};

struct Taking {
  bool passes = true;
  std::int64_t ahead_us = 0;  // of the bucket afterwards
  std::int64_t wait_us = 0;   // until another request would pass; 0 if this one does
};

// `ahead_us`: how long the bucket still needs until it is empty. One that was filled by a longer burst counts as full.
constexpr Taking take(const Rate& rate, std::int64_t ahead_us) {
  const std::int64_t now = std::clamp<std::int64_t>(ahead_us, 0, rate.burst_us);
  if (now + rate.interval_us <= rate.burst_us) return {true, now + rate.interval_us, 0};
  return {false, now, now + rate.interval_us - rate.burst_us};
}

}  // namespace baton::rates
