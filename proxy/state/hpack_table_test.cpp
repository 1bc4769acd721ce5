// A decoder's table: against a plain list of entries, and as a value that is copied, moved, encoded and decoded.
#include "proxy/state/hpack_table.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <utility>

#include "proxy/state/hpack_wire.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {
namespace {

HpackTable moved_to_another_process(const HpackTable& table) {
  HpackTable moved;
  EXPECT_TRUE(decode(encode(table), moved));
  return moved;
}

// RFC 7541 §4 as it is written.
class PlainTable {
 public:
  void set_maximum(std::size_t bytes) {
    maximum_ = bytes;
    evict_to(bytes);
  }
  void insert(const std::string& name, const std::string& value) {
    const std::size_t bytes = name.size() + value.size() + 32;
    if (bytes > maximum_) return entries_.clear();
    evict_to(maximum_ - bytes);
    entries_.emplace_front(name, value);
  }
  void expect_same(const HpackTable& table) const {
    ASSERT_EQ(table.count(), entries_.size());
    ASSERT_EQ(table.size(), size());
    for (std::uint32_t i = 0; i < table.count(); ++i) {
      ASSERT_EQ(table.at(i).name, entries_[i].first) << i;
      ASSERT_EQ(table.at(i).value, entries_[i].second) << i;
    }
  }

 private:
  std::size_t size() const {
    std::size_t sum = 0;
    for (const auto& [name, value] : entries_) sum += name.size() + value.size() + 32;
    return sum;
  }
  void evict_to(std::size_t bytes) {
    while (size() > bytes) entries_.pop_back();
  }

  std::size_t maximum_ = 4096;
  std::deque<std::pair<std::string, std::string>> entries_;
};

class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}
  std::size_t below(std::size_t end) { return random_() % end; }
  std::string text(std::size_t bytes_max) {
    std::string text(below(bytes_max + 1), '\0');
    for (char& c : text) c = static_cast<char>(below(256));
    return text;
  }

 private:
  std::mt19937 random_;
};

TEST(HpackTable, IsWhatTheRfcSaysAlsoAfterAMoveAtAnyPoint) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    Random random(seed);
    HpackTable table;
    PlainTable plain;
    if (seed % 4 == 3) table.raise_limit(HpackTable::limit_max);
    const std::size_t text_bytes_max = std::size_t{1} << random.below(13);
    for (int step = 0; step < 500; ++step) {
      if (random.below(50) == 0) {
        const std::size_t maximum = random.below(table.limit() + 1);
        table.set_maximum(static_cast<std::uint32_t>(maximum));
        plain.set_maximum(maximum);
      } else {
        const std::string name = random.text(text_bytes_max), value = random.text(text_bytes_max);
        table.insert(name, value);
        plain.insert(name, value);
      }
      ASSERT_NO_FATAL_FAILURE(plain.expect_same(table)) << "seed " << seed << ", step " << step;
      if (random.below(10) == 0) {
        HpackTable other = random.below(2) == 0 ? table : moved_to_another_process(table);
        ASSERT_EQ(other, table);
        ASSERT_NO_FATAL_FAILURE(plain.expect_same(other));
        table = std::move(other);
      }
    }
  }
}

TEST(HpackTable, DiffersByEachOfItsParts) {
  HpackTable one, other;
  EXPECT_EQ(one, other);
  one.insert("a", "bc");
  EXPECT_NE(one, other);
  other.insert("ab", "c");
  EXPECT_NE(one, other) << "the same text";
  other = one;
  EXPECT_EQ(one, other);
  other.set_maximum(4095);
  EXPECT_NE(one, other);
  other = one;
  other.raise_limit(4097);
  EXPECT_NE(one, other);
  EXPECT_EQ(other.maximum(), 4096U) << "the peer says when it uses more";
}

TEST(HpackTable, TheLimitIsNeverLowered) {
  HpackTable table;
  table.raise_limit(100);
  EXPECT_EQ(table.limit(), HpackTable::limit_default);
  table.raise_limit(1U << 30);
  EXPECT_EQ(table.limit(), HpackTable::limit_max);
}

TEST(HpackTable, HoldsTheLargestEntry) {
  HpackTable table;
  table.raise_limit(HpackTable::limit_max);
  table.set_maximum(HpackTable::limit_max);
  const std::string name(HpackTable::limit_max - 32, 'n');
  table.insert(name, "");
  ASSERT_EQ(table.count(), 1U);
  EXPECT_EQ(table.at(0).name, name);
  EXPECT_EQ(moved_to_another_process(table), table);
  table.insert("", name);
  ASSERT_EQ(table.count(), 1U);
  EXPECT_EQ(table.at(0).value, name);
  table.insert(name, "v");
  EXPECT_EQ(table.count(), 0U);
}

// ── From another process ──────────────────────────────────────────────────────────────────────────────────────────

wire::HpackTable table_message(std::uint32_t limit, std::uint32_t maximum, std::size_t entry_bytes = 0) {
  wire::HpackTable made;
  made.set_limit(limit);
  made.set_maximum(maximum);
  if (entry_bytes != 0) made.add_entries()->set_value(std::string(entry_bytes - 32, 'v'));
  return made;
}

bool read(const wire::HpackTable& message, HpackTable& out) {
  return decode(message.SerializeAsString(), out);
}

TEST(HpackTableOnTheWire, WhatExceedsItsLimitsIsRefused) {
  HpackTable table;
  EXPECT_TRUE(read(table_message(4096, 4096, 4096), table));
  EXPECT_EQ(table.size(), 4096U);
  EXPECT_TRUE(read(table_message(65536, 0), table));
  EXPECT_EQ(table.count(), 0U);
  EXPECT_FALSE(read(table_message(4096, 4097), table));
  EXPECT_FALSE(read(table_message(65537, 4096), table));
  EXPECT_FALSE(read(table_message(4095, 4095), table)) << "less than every connection begins with";
  EXPECT_FALSE(read(table_message(4096, 4096, 4097), table));
  EXPECT_FALSE(read(table_message(4096, 99, 100), table));
  wire::HpackTable two = table_message(4096, 4096, 4096);
  two.add_entries();
  EXPECT_FALSE(read(two, table)) << "it would evict the other";
}

TEST(HpackTableOnTheWire, AnyFlippedByteIsRefusedOrASoundTable) {
  HpackTable table;
  Random random(5);
  for (int i = 0; i < 20; ++i) table.insert(random.text(20), random.text(40));
  const std::string whole = encode(table);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      HpackTable other;
      if (!decode(flipped, other)) continue;
      ASSERT_LE(other.size(), other.maximum());
      ASSERT_EQ(moved_to_another_process(other), other);
    }
  }
}

}  // namespace
}  // namespace baton::state
