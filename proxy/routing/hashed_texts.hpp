// Texts with values; a search finds the one that equals a given text.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/runtime/keyed_hash.hpp"

namespace baton::routing {

// Calls `visit(word)` for each eight bytes of a text; the last ones may begin among those before. A shorter text is one
// word.
template <class Visit>
[[gnu::always_inline]] inline void each_word(std::string_view text, Visit visit) {
  std::uint64_t word = 0;
  if (text.size() < sizeof word) {
    for (const char c : text) word = word << 8 | static_cast<unsigned char>(c);
    return visit(word);
  }
  const auto read = [&](const char* from) {
    std::memcpy(&word, from, sizeof word);
    visit(word);
  };
  const char* const last = text.data() + text.size() - sizeof word;
  for (const char* p = text.data(); p < last; p += sizeof word) read(p);
  read(last);
}

// Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014): two texts have the same
// hash with a probability of 2^-32, whichever they are, as long as the key is secret.
class TextHash {
 public:
  static constexpr std::size_t bytes_max = 1024;  // of a text

  TextHash() = default;  // of no text yet
  // With a key of its own.
  static TextHash random() {
    const runtime::HashKey key = runtime::HashKey::random();
    TextHash hash;
    for (std::uint64_t i = 0; i < hash.key_.size(); ++i) {
      hash.key_[i] = runtime::keyed_hash(key, {reinterpret_cast<const char*>(&i), sizeof i});
    }
    return hash;
  }

  std::uint32_t of(std::string_view text) const {
    std::uint64_t sum = key_[0] + key_[1] * text.size();
    const std::uint64_t* factor = key_.data() + 2;
    each_word(text, [&](std::uint64_t word) {
      sum += factor[0] * (word & UINT32_MAX) + factor[1] * (word >> 32);
      factor += 2;
    });
    return static_cast<std::uint32_t>(sum >> 32);
  }

 private:
  std::array<std::uint64_t, 2 + 2 * bytes_max / sizeof(std::uint64_t)> key_{};
};

// No text is longer than `TextHash::bytes_max`.
template <class Value>
class HashedTexts {
 public:
  HashedTexts() = default;
  HashedTexts(std::map<std::string, Value> values, const TextHash& hash) {
    if (values.empty()) return;
    // At most a quarter of the slots are taken, so nearly every search ends at the first or the second.
    slots_.resize(std::bit_ceil(4 * values.size()));
    entries_.reserve(values.size());
    for (auto& [text, value] : values) {
      const std::uint32_t hashed = hash.of(text);
      std::size_t at = first_slot(hashed);
      while (slots_[at].entry != none) at = next_slot(at);
      slots_[at] = {hashed, static_cast<std::uint32_t>(entries_.size())};
      entries_.push_back({text, std::move(value)});
    }
  }

  bool empty() const { return entries_.empty(); }

  // Calls `visit(value)` for all of them.
  template <class Visit>
  void each(Visit visit) const {
    for (const Entry& entry : entries_) visit(entry.value);
  }

  // nullptr: there is none. `hash` is the one that the texts were stored with.
  const Value* find(std::string_view text, const TextHash& hash) const {
    if (entries_.empty() || text.size() > TextHash::bytes_max) return nullptr;
    const std::uint32_t hashed = hash.of(text);
    for (std::size_t at = first_slot(hashed); slots_[at].entry != none; at = next_slot(at)) {
      if (slots_[at].hashed != hashed) continue;
      const Entry& entry = entries_[slots_[at].entry];
      if (entry.text == text) return &entry.value;
    }
    return nullptr;
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;

  struct Entry {
    std::string text;
    Value value;
  };
  struct Slot {
    std::uint32_t hashed = 0;
    std::uint32_t entry = none;  // none: the slot is free
  };

  std::size_t first_slot(std::uint32_t hashed) const { return hashed & (slots_.size() - 1); }
  std::size_t next_slot(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  std::vector<Entry> entries_;  // sorted by text
  std::vector<Slot> slots_;
};

}  // namespace baton::routing
