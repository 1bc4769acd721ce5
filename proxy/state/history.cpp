#include "proxy/state/history.hpp"

#include <algorithm>
#include <utility>

namespace baton::state {

void History::add(std::int64_t slot_ms, const Sample& sample, const SampledTotals& totals) {
  if (until_ms_ != 0 && slot_ms > until_ms_) {
    const std::int64_t missed = (slot_ms - until_ms_) / every_ms - 1;
    samples_.resize(samples_.size() + static_cast<std::size_t>(std::min<std::int64_t>(missed, samples_max)));
  }
  samples_.push_back(sample);
  samples_.back().is_known = true;
  until_ms_ = slot_ms;
  totals_ = totals;
  drop_what_exceeds();
}

History History::of(std::int64_t until_ms, std::vector<Sample> samples, const SampledTotals& totals) {
  History history;
  if (until_ms <= 0 || samples.empty()) return history;
  history.until_ms_ = slot_of(until_ms);
  history.samples_ = std::move(samples);
  history.totals_ = totals;
  history.drop_what_exceeds();
  return history;
}

void History::drop_what_exceeds() {
  if (samples_.size() > samples_max) samples_.erase(samples_.begin(), samples_.end() - samples_max);
}

}  // namespace baton::state
