#include "demo/latency.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace baton::demo {
namespace {

// The first 16 buckets are 1 µs wide; after them each power of two has 16 buckets.
std::size_t bucket_of(std::uint64_t microseconds) {
  if (microseconds < 16) return microseconds;
  const auto shift = static_cast<std::size_t>(std::bit_width(microseconds)) - 5;
  const std::size_t bucket = 16 * (shift + 1) + (microseconds >> shift) - 16;
  return std::min(bucket, LatencySpread::buckets - 1);
}

std::uint64_t upper_edge(std::size_t bucket) {
  if (bucket < 16) return bucket;
  const std::size_t shift = bucket / 16 - 1;
  return ((std::uint64_t{16} + bucket % 16 + 1) << shift) - 1;
}

}  // namespace

std::uint64_t LatencySpread::count() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts_) sum += count;
  return sum;
}

Microseconds LatencySpread::at(double quantile) const {
  const std::uint64_t all = count();
  if (all == 0) return Microseconds{0};
  const auto rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(quantile * static_cast<double>(all))));
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while (seen + counts_[bucket] < rank && bucket + 1 < buckets) seen += counts_[bucket++];
  return Microseconds{upper_edge(bucket)};
}

LatencySpread LatencySpread::since(const LatencySpread& earlier) const {
  LatencySpread difference;
  for (std::size_t i = 0; i < buckets; ++i) difference.counts_[i] = counts_[i] - earlier.counts_[i];
  return difference;
}

void LatencyRecorder::add(Microseconds latency) {
  const auto microseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, latency.count()));
  counts_[bucket_of(microseconds)].fetch_add(1, std::memory_order_relaxed);
}

LatencySpread LatencyRecorder::spread() const {
  LatencySpread copy;
  for (std::size_t i = 0; i < counts_.size(); ++i) copy.counts_[i] = counts_[i].load(std::memory_order_relaxed);
  return copy;
}

}  // namespace baton::demo
