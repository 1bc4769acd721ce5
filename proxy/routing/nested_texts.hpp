// Texts with values; one binary search finds all that are prefixes of a given text.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

  // The longest prefix of `text`.
  Index innermost(std::string_view text) const {
    const auto behind = std::ranges::upper_bound(entries_, text, {}, &Entry::text);
    if (behind == entries_.begin()) return none;
    auto i = static_cast<Index>(behind - entries_.begin() - 1);
    while (i != none && !text.starts_with(entries_[i].text)) i = entries_[i].outer;
    return i;
  }

  std::vector<Entry> entries_;  // sorted by text
};

}  // namespace baton::routing
