// Finds a delimiter sixteen or eight bytes at a time. Reading a head spends most of its instructions here.
#pragma once

#include <cstddef>
#include <cstring>

#include "config/block.hpp"

namespace baton::http1 {

using config::Block;

// The end of the input, shorter than a block. Uses a block that starts before `p`, if there is one.
template <typename Match>
[[gnu::noinline]] const char* find_first_in_rest(const char* begin, const char* p, const char* end, Match match) {
  const std::ptrdiff_t left = end - p;
  if (left == 0) return end;
  if (end - begin >= Block::bytes) {
    const char* const last = end - Block::bytes;
    const auto found = Block::without_first(match(Block{last}), Block::bytes - left);
    return found ? last + Block::first(found) : end;
  }
  char copy[Block::bytes] = {};
  std::memcpy(copy, p, static_cast<std::size_t>(left));
  const auto found = match(Block{copy});
  return found && Block::first(found) < left ? p + Block::first(found) : end;
}

// The first byte from `p` on for which `match(block)` has a bit set, or `end`. The input starts at `begin`.
template <typename Match>
[[gnu::always_inline]] inline const char* find_first(const char* begin, const char* p, const char* end, Match match) {
  for (; end - p >= Block::bytes; p += Block::bytes) {
    if (const auto found = match(Block{p})) return p + Block::first(found);
  }
  return find_first_in_rest(begin, p, end, match);
}

// The end of the run of letters and hyphens at `p`, or a place before that.
inline const char* skip_word(const char* p, const char* end) {
  if (end - p < Block::bytes) return p;
  const auto found = Block{p}.match_not_word();
  return p + (found ? Block::first(found) : Block::bytes);
}

// A control character other than a tab.
inline const char* find_control(const char* begin, const char* p, const char* end) {
  for (;; ++p) {
    p = find_first(begin, p, end, [](const Block& block) { return block.match_below_or_del(' '); });
    if (p == end || *p != '\t') return p;
  }
}

// A control character, a space, or a byte beyond ASCII.
inline const char* find_no_target_char(const char* begin, const char* p, const char* end) {
  return find_first(begin, p, end, [](const Block& block) { return block.match_below_or_above_ascii(' ' + 1); });
}

}  // namespace baton::http1
