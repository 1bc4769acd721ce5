// What an instance has served in the last hour, as samples at the same distance: it goes from one process to the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace baton::state {

struct Sample {
  std::uint64_t requests = 0;  // that ended in this sample's time
  std::uint64_t failures = 0;  // of these, with a 5xx
  std::uint64_t p50_ms = 0;    // of what is known of response times then; 0: nothing
  std::uint64_t p99_ms = 0;
  std::uint64_t connections = 0;  // of clients, at its end
  bool is_known = false;          // otherwise no process has taken it
  bool operator==(const Sample&) const = default;
};

// The totals of an instance at a sample, from which the next one is counted.
struct SampledTotals {
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;
  bool operator==(const SampledTotals&) const = default;
};

class History {
 public:
  static constexpr std::int64_t every_ms = 10'000;
  static constexpr std::size_t samples_max = 360;

  // The time that a sample taken now is for: the last multiple of `every_ms`.
  static std::int64_t slot_of(std::int64_t unix_ms) { return unix_ms / every_ms * every_ms; }

  // Whether there is no sample for this time. Also if the clock was set back.
  bool is_due(std::int64_t slot_ms) const { return slot_ms != until_ms_; }
  // Times between that have none become unknown samples. After a clock that was set back, the samples before keep their
  // places.
  void add(std::int64_t slot_ms, const Sample& sample, const SampledTotals& totals);

  std::int64_t until_ms() const { return until_ms_; }              // of the last sample; 0: there is none
  const std::vector<Sample>& samples() const { return samples_; }  // the oldest first

  const SampledTotals& totals() const { return totals_; }

  // As it was; what exceeds the hour is dropped.
  static History of(std::int64_t until_ms, std::vector<Sample> samples, const SampledTotals& totals);
  bool operator==(const History&) const = default;

 private:
  void drop_what_exceeds();

  std::int64_t until_ms_ = 0;
  std::vector<Sample> samples_;
  SampledTotals totals_;
};

}  // namespace baton::state
