#include "proxy/rates/table.hpp"

#include <algorithm>
#include <utility>

namespace baton::rates {

namespace {

constexpr std::size_t lines = 64 * 1024;
constexpr std::uint64_t layout = 0x4261746f6e520001;

// A word: 20 bits of tag, never 0, above 44 of time in microseconds, which is taken modulo 2^44 (203 days).
constexpr int time_bits = 44;
constexpr std::uint64_t time_mask = (std::uint64_t{1} << time_bits) - 1;
constexpr std::uint64_t no_bucket = 0;

// A time that is further ahead is one of the past.
constexpr std::int64_t ahead_us_max = std::int64_t{1} << 40;
static_assert(burst_us_max <= ahead_us_max);

constexpr std::uint64_t packed(std::uint64_t tag, std::int64_t time_us) {
  return tag << time_bits | (static_cast<std::uint64_t>(time_us) & time_mask);
}

std::int64_t ahead_us(std::uint64_t word, std::int64_t now_us) {
  if (word == no_bucket) return 0;
  const auto ahead = static_cast<std::int64_t>((word - static_cast<std::uint64_t>(now_us)) & time_mask);
  return ahead <= ahead_us_max ? ahead : 0;
}

std::uint64_t tag_of(std::uint64_t hash) {
  return std::max<std::uint64_t>(hash >> time_bits, 1);
}

// Where a bucket is, or would be.
struct Bucket {
  std::size_t index = 0;
  std::uint64_t word = 0;     // what was there
  std::int64_t ahead_us = 0;  // of the bucket; 0: there is none, or it is empty
};

Bucket find(std::uint64_t* line, std::uint64_t tag, std::int64_t now_us) {
  Bucket best;
  std::int64_t best_ahead_us = INT64_MAX;
  for (std::size_t i = 0; i < words_per_line; ++i) {
    const std::uint64_t word = Word(line[i]).load(std::memory_order_relaxed);
    const std::int64_t ahead = ahead_us(word, now_us);
    if (word >> time_bits == tag) return {i, word, ahead};
    if (ahead < best_ahead_us) {
      best = {i, word, 0};
      best_ahead_us = ahead;
    }
  }
  return best;
}

}  // namespace

void Table::make_room() {
  const std::lock_guard lock(mutex_);
  if (owned_) return;
  owned_ = std::make_unique<HashedLines>(HashedLines::create("baton-rates", layout, lines));
  memory_.store(owned_.get(), std::memory_order_release);
}

bool Table::adopt(handoff::UniqueFd memory, std::int64_t clock_us) {
  auto adopted = HashedLines::attach(std::move(memory), layout, lines);
  if (!adopted) return false;
  const std::lock_guard lock(mutex_);
  memory_.store(adopted.get(), std::memory_order_release);
  owned_ = std::move(adopted);
  clock_us_ = clock_us;
  return true;
}

int Table::to_pass_on() const {
  const std::lock_guard lock(mutex_);
  return owned_ ? owned_->descriptor() : -1;
}

Taking Table::take(std::uint64_t rate_id, const Rate& rate, std::string_view key, std::int64_t now_us) const {
  const HashedLines* const memory = memory_.load(std::memory_order_acquire);
  if (memory == nullptr) return {};
  const std::uint64_t hash = memory->hash(key, rate_id);
  const std::uint64_t tag = tag_of(hash);
  std::uint64_t* const line = memory->line(hash);
  now_us += clock_us();
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    Bucket bucket = find(line, tag, now_us);
    const Taking taking = rates::take(rate, bucket.ahead_us);
    // A bucket that is fuller than this rate allows is corrected, or it would refuse for longer than the rate means.
    if (!taking.passes && bucket.ahead_us == taking.ahead_us) return taking;
    if (Word(line[bucket.index])
            .compare_exchange_strong(bucket.word, packed(tag, now_us + taking.ahead_us), std::memory_order_relaxed)) {
      return taking;
    }
  }
  return {};
}

}  // namespace baton::rates
