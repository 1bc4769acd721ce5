// The histograms: which buckets they have. In the ledger, one has a number for each bucket, one for what is above the
// last bound, and the sum of all values, in the unit of its bounds.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace baton::metrics {

// How long exchanges and their parts take, in milliseconds.
inline constexpr std::array<std::uint64_t, 15> duration_bounds_ms{1,   2,     5,     10,    25,     50,     100,   250,
                                                                  500, 1'000, 2'500, 5'000, 10'000, 30'000, 60'000};

// How long connections stand still while they move, in microseconds. Each is one less than a power of two, as the
// buckets of a report end.
inline constexpr std::size_t pause_log2_first = 6;
inline constexpr std::array<std::uint64_t, 17> pause_bounds_us = [] {
  std::array<std::uint64_t, 17> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) bounds[i] = (std::uint64_t{1} << (i + pause_log2_first)) - 1;
  return bounds;
}();

// The index of the bucket that the value belongs to; that above all bounds is the last.
template <std::size_t size>
constexpr std::size_t bucket_of(const std::array<std::uint64_t, size>& bounds, std::uint64_t value) {
  std::size_t bucket = 0;
  while (bucket < size && value > bounds[bucket]) ++bucket;
  return bucket;
}

// Of durations.
inline constexpr std::size_t duration_numbers = duration_bounds_ms.size() + 2;
inline constexpr std::size_t pause_numbers = pause_bounds_us.size() + 2;

}  // namespace baton::metrics
