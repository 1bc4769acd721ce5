#include "proxy/rates/occupancy.hpp"

#include <utility>

namespace baton::rates {

namespace {

constexpr std::size_t occupancy_lines = 32 * 1024;
constexpr std::uint64_t occupancy_layout = 0x4261746f6e430001;

// A word: 40 bits of tag above 24 of count. With a count of 0 it is free, whatever its tag.
constexpr int count_bits = 24;
constexpr std::uint64_t count_mask = (std::uint64_t{1} << count_bits) - 1;

std::uint64_t occupancy_tag_of(std::uint64_t hash) {
  return hash >> count_bits;
}

// What a line says of a client.
struct Counted {
  std::uint64_t count = 0;
  std::uint64_t* word = nullptr;  // to count one more in; null: there is no room
  std::uint64_t value = 0;        // of that word
};

Counted look_up(std::uint64_t* line, std::uint64_t tag) {
  Counted found;
  for (std::size_t i = 0; i < words_per_line; ++i) {
    const std::uint64_t value = Word(line[i]).load(std::memory_order_relaxed);
    const std::uint64_t count = value & count_mask;
    const bool is_free = count == 0;
    const bool is_his = !is_free && value >> count_bits == tag;
    if ((is_free && found.word == nullptr) || (is_his && found.count == 0)) {
      found.word = &line[i];
      found.value = value;
    }
    if (is_his) found.count += count;
  }
  return found;
}

}  // namespace

void Place::leave() {
  if (word_ == nullptr) return;
  std::uint64_t value = Word(*word_).load(std::memory_order_relaxed);
  while ((value & count_mask) != 0 &&
         !Word(*word_).compare_exchange_weak(value, value - 1, std::memory_order_relaxed)) {
  }
  word_ = nullptr;
}

void Occupancy::make_room() {
  const std::lock_guard lock(mutex_);
  if (owned_) return;
  owned_ = std::make_unique<HashedLines>(HashedLines::create("baton-connections", occupancy_layout, occupancy_lines));
  memory_.store(owned_.get(), std::memory_order_release);
}

int Occupancy::to_pass_on() const {
  const std::lock_guard lock(mutex_);
  return owned_ ? owned_->descriptor() : -1;
}

bool Occupancy::watch(handoff::UniqueFd memory) {
  auto attached = HashedLines::attach(std::move(memory), occupancy_layout, occupancy_lines);
  if (!attached) return false;
  const std::lock_guard lock(mutex_);
  watched_ = std::move(attached);
  predecessor_.store(watched_.get(), std::memory_order_release);
  return true;
}

Occupancy::Entered Occupancy::enter(std::string_view client) const {
  const HashedLines* const memory = memory_.load(std::memory_order_acquire);
  if (memory == nullptr) return {};
  std::uint64_t elsewhere = 0;
  if (const HashedLines* const before = predecessor_.load(std::memory_order_acquire)) {
    const std::uint64_t hash = before->hash(client);
    elsewhere = look_up(before->line(hash), occupancy_tag_of(hash)).count;
  }
  const std::uint64_t hash = memory->hash(client);
  const std::uint64_t tag = occupancy_tag_of(hash);
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    Counted here = look_up(memory->line(hash), tag);
    if (here.word == nullptr || here.count == count_mask) break;
    const std::uint64_t more = here.count != 0 ? here.value + 1 : tag << count_bits | 1;
    if (Word(*here.word).compare_exchange_strong(here.value, more, std::memory_order_relaxed)) {
      return {Place(here.word), here.count + elsewhere + 1, here.count + 1};
    }
  }
  return {};
}

}  // namespace baton::rates
