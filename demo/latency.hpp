// Latencies in buckets whose width is at most 1/16 of their value, from 1 µs to about a minute. Written by the load's
// thread, read by the scoreboard's, without a lock.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace baton::demo {

using Microseconds = std::chrono::microseconds;

// A copy of the counts. The difference of two covers the time in between.
class LatencySpread {
 public:
  static constexpr std::size_t buckets = 16 * 23;

  std::uint64_t count() const;

  // The upper edge of the bucket in which the share `quantile` (0 to 1) is reached; 0 without any count.
  Microseconds at(double quantile) const;

  // `earlier` was taken from the same recorder before this one.
  LatencySpread since(const LatencySpread& earlier) const;

 private:
  friend class LatencyRecorder;
  std::array<std::uint64_t, buckets> counts_{};
};

class LatencyRecorder {
 public:
  void add(Microseconds latency);
  LatencySpread spread() const;

 private:
  std::array<std::atomic<std::uint64_t>, LatencySpread::buckets> counts_{};
};

}  // namespace baton::demo
