// Texts with values; one search finds all that are prefixes of a given text.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::routing {

// In byte order, whatever lies between a prefix and a text that starts with it also starts with that prefix. So the
// last entry not after the given text starts with all the prefixes sought, and each entry knows the next shorter one.
template <class Value>
class NestedTexts {
 public:
  NestedTexts() = default;
  explicit NestedTexts(std::map<std::string, Value> values) {
    entries_.reserve(values.size());
    for (auto& [text, value] : values) {
      const Index outer = innermost(text);
      entries_.push_back({text, std::move(value), outer});
      heads_.push_back(head_of(text));
    }
  }

  bool empty() const { return entries_.empty(); }

  // Calls `visit(value)` for all of them.
  template <class Visit>
  void each(Visit visit) const {
    for (const Entry& entry : entries_) visit(entry.value);
  }

  // Calls `visit(text, value)` for each prefix of `text`, longest first, until it returns true.
  template <class Visit>
  bool visit_outwards(std::string_view text, Visit visit) const {
    for (Index i = innermost(text); i != none; i = entries_[i].outer) {
      const Entry& entry = entries_[i];
      if (visit(std::string_view(entry.text), entry.value)) return true;
    }
    return false;
  }

 private:
  using Index = std::uint32_t;
  static constexpr Index none = UINT32_MAX;

  struct Entry {
    std::string text;
    Value value;
    Index outer;  // the longest other text that is a prefix of this one
  };

  // The first bytes of a text, as a number that orders like the text.
  static std::uint64_t head_of(std::string_view text) {
    std::uint64_t head = 0;
    if (text.size() >= sizeof head) {
      std::memcpy(&head, text.data(), sizeof head);
      return std::endian::native == std::endian::little ? std::byteswap(head) : head;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
      head |= std::uint64_t{static_cast<unsigned char>(text[i])} << (56 - 8 * i);
    }
    return head;
  }

  // How many entries are not after `text`.
  std::size_t up_to(std::string_view text, std::uint64_t head) const {
    std::size_t begin = 0;
    for (std::size_t left = heads_.size(); left != 0;) {
      const std::size_t middle = begin + left / 2;
      const bool is_after = heads_[middle] > head || (heads_[middle] == head && entries_[middle].text > text);
      if (!is_after) begin = middle + 1;
      left = is_after ? left / 2 : left - left / 2 - 1;
    }
    return begin;
  }

  // Whether `text` begins with that of an entry.
  bool begins_with(std::string_view text, std::uint64_t head, Index i) const {
    const std::string& prefix = entries_[i].text;
    if (prefix.size() > sizeof head || prefix.empty()) return text.starts_with(prefix);
    return text.size() >= prefix.size() && (heads_[i] ^ head) >> (64 - 8 * prefix.size()) == 0;
  }

  // The longest prefix of `text`.
  Index innermost(std::string_view text) const {
    const std::uint64_t head = head_of(text);
    const std::size_t count = up_to(text, head);
    Index i = count == 0 ? none : static_cast<Index>(count - 1);
    while (i != none && !begins_with(text, head, i)) i = entries_[i].outer;
    return i;
  }

  std::vector<Entry> entries_;        // sorted by text
  std::vector<std::uint64_t> heads_;  // of each entry, since most searches look no further
};

}  // namespace baton::routing
