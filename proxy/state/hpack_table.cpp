#include "proxy/state/hpack_table.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace baton::state {

HpackTable::HpackTable(const HpackTable& other) : limit_(other.limit_), maximum_(other.maximum_) {
  if (other.count_ == 0) return;
  const std::uint32_t capacity = std::max(capacity_min, std::bit_ceil(other.size_));
  block_ = static_cast<char*>(allocate(block_bytes(capacity)));
  capacity_ = capacity;
  other.copy_entries(*this);
}

void HpackTable::raise_limit(std::uint32_t bytes) {
  limit_ = std::clamp(bytes, limit_, limit_max);
}

void HpackTable::set_maximum(std::uint32_t bytes) {
  maximum_ = std::min(bytes, limit_);
  evict_to(maximum_);
  if (count_ == 0) release();
}

void HpackTable::insert(std::string_view name, std::string_view value) {
  const std::size_t text_bytes = name.size() + value.size();
  if (text_bytes + entry_overhead > maximum_) {
    evict_to(0);
    return release();
  }
  const auto entry_bytes = static_cast<std::uint32_t>(text_bytes + entry_overhead);
  evict_to(maximum_ - entry_bytes);
  if (size_ + entry_bytes > capacity_ || text_end_ + text_bytes > capacity_) make_room(entry_bytes);
  record_at(first_ + count_) = {text_end_, static_cast<std::uint16_t>(name.size()),
                                static_cast<std::uint16_t>(value.size())};
  char* const to = text() + text_end_;
  std::copy(value.begin(), value.end(), std::copy(name.begin(), name.end(), to));
  text_end_ += static_cast<std::uint32_t>(text_bytes);
  size_ += entry_bytes;
  ++count_;
}

void HpackTable::evict_to(std::uint32_t bytes) {
  while (size_ > bytes) {
    const Record& oldest = record_at(first_);
    size_ -= std::uint32_t{oldest.name_bytes} + oldest.value_bytes + entry_overhead;
    ++first_;
    --count_;
  }
  if (count_ == 0) text_end_ = 0;
}

// For an entry of that size: in a larger block, or by closing the gap that evicted entries have left.
void HpackTable::make_room(std::uint32_t entry_bytes) {
  if (size_ + entry_bytes > capacity_) {
    HpackTable larger;
    const std::uint32_t capacity = std::max(capacity_min, std::bit_ceil(size_ + entry_bytes));
    larger.block_ = static_cast<char*>(allocate(block_bytes(capacity)));
    larger.capacity_ = capacity;
    larger.limit_ = limit_;
    larger.maximum_ = maximum_;
    copy_entries(larger);
    return swap(larger);
  }
  const std::uint32_t gap = record_at(first_).begin;
  std::memmove(text(), text() + gap, text_end_ - gap);
  for (std::uint32_t i = 0; i < count_; ++i) record_at(first_ + i).begin -= gap;
  text_end_ -= gap;
}

// To one that has a block large enough, and no entries.
void HpackTable::copy_entries(HpackTable& to) const {
  if (count_ == 0) return;
  const std::uint32_t gap = record_at(first_).begin;
  std::memcpy(to.text(), text() + gap, text_end_ - gap);
  for (std::uint32_t i = 0; i < count_; ++i) {
    to.record_at(i) = record_at(first_ + i);
    to.record_at(i).begin -= gap;
  }
  to.text_end_ = text_end_ - gap;
  to.size_ = size_;
  to.count_ = count_;
}

void HpackTable::release() {
  if (block_ == nullptr) return;
  deallocate(block_, block_bytes(capacity_));
  block_ = nullptr;
  capacity_ = size_ = first_ = count_ = text_end_ = 0;
}

void HpackTable::swap(HpackTable& other) noexcept {
  std::swap(block_, other.block_);
  std::swap(capacity_, other.capacity_);
  std::swap(limit_, other.limit_);
  std::swap(maximum_, other.maximum_);
  std::swap(size_, other.size_);
  std::swap(first_, other.first_);
  std::swap(count_, other.count_);
  std::swap(text_end_, other.text_end_);
}

bool HpackTable::operator==(const HpackTable& other) const {
  if (limit_ != other.limit_ || maximum_ != other.maximum_ || count_ != other.count_) return false;
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (at(i) != other.at(i)) return false;
  }
  return true;
}

}  // namespace baton::state
