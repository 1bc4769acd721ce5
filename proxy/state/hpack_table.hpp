// The dynamic table of an HPACK decoder (RFC 7541 §2.3.2): the fields that the peer's encoder may refer to. It is the
// only state of a codec that moves with a connection; an empty table holds no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "proxy/state/memory.hpp"

namespace baton::state {

class HpackTable {
 public:
  // SETTINGS_HEADER_TABLE_SIZE (RFC 9113 §6.5.2): of a connection without one, and the most that we announce.
  static constexpr std::uint32_t limit_default = 4096;
  static constexpr std::uint32_t limit_max = 65536;

  // An entry's size is the bytes of its name and value plus these (RFC 7541 §4.1).
  static constexpr std::uint32_t entry_overhead = 32;

  struct Entry {
    std::string_view name, value;
    bool operator==(const Entry&) const = default;
  };

  HpackTable() = default;
  HpackTable(const HpackTable& other);
  HpackTable(HpackTable&& other) noexcept { swap(other); }
  HpackTable& operator=(HpackTable other) noexcept {
    swap(other);
    return *this;
  }
  ~HpackTable() { release(); }

  // What we announced. It is never lowered, so the peer never owes a size update, and the table never has to remember
  // that it does (§4.2). At most `limit_max`.
  std::uint32_t limit() const { return limit_; }
  void raise_limit(std::uint32_t bytes);

  // What the peer's encoder uses of the limit, by its size updates (§6.3). At most `limit()`.
  std::uint32_t maximum() const { return maximum_; }
  void set_maximum(std::uint32_t bytes);

  // The sum of the entries' sizes; at most `maximum()`.
  std::uint32_t size() const { return size_; }
  std::uint32_t count() const { return count_; }

  // 0 is the newest; `index` is less than `count()`. The views are valid until the next change of the table. The value
  // follows the name, and behind it `readable_behind` more bytes may be read, whatever they are.
  static constexpr std::size_t readable_behind = 16;
  Entry at(std::uint32_t index) const {
    const Record& record = record_at(first_ + count_ - 1 - index);
    const char* const name = text() + record.begin;
    return {{name, record.name_bytes}, {name + record.name_bytes, record.value_bytes}};
  }

  // Adds the newest entry; evicts the oldest ones until it fits. One that is larger than `maximum()` empties the table
  // (§4.4). Name and value lie outside the table. If there is no memory, the table stays valid but lacks the entry.
  void insert(std::string_view name, std::string_view value);

  void swap(HpackTable& other) noexcept;
  bool operator==(const HpackTable& other) const;

 private:
  // One block: a ring of records, then the texts of the entries, oldest first and without gaps. `capacity_` is a power
  // of two and at least `size_`: an entry of that size has less text and needs one record of the ring.
  struct Record {
    std::uint32_t begin;
    std::uint16_t name_bytes, value_bytes;
  };
  static constexpr std::uint32_t capacity_min = 512;
  static constexpr std::size_t records_bytes(std::uint32_t capacity) {
    return capacity / entry_overhead * sizeof(Record);
  }
  static constexpr std::size_t block_bytes(std::uint32_t capacity) {
    return records_bytes(capacity) + capacity + readable_behind;
  }

  Record& record_at(std::uint32_t number) const {
    return reinterpret_cast<Record*>(block_)[number & (capacity_ / entry_overhead - 1)];
  }
  char* text() const { return block_ + records_bytes(capacity_); }

  void evict_to(std::uint32_t bytes);
  void make_room(std::uint32_t entry_bytes);
  void copy_entries(HpackTable& to) const;
  void release();

  char* block_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t limit_ = limit_default;
  std::uint32_t maximum_ = limit_default;
  std::uint32_t size_ = 0;
  std::uint32_t first_ = 0;  // the number of the oldest record
  std::uint32_t count_ = 0;
  std::uint32_t text_end_ = 0;  // of the newest entry
};

}  // namespace baton::state
