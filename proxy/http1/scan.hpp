// Finds a delimiter sixteen or eight bytes at a time. Reading a head spends most of its instructions here.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace baton::http1 {

// The bytes that are examined together. A match has a bit for each matching byte, in order.
#ifdef __SSE2__

class Block {
 public:
  static constexpr std::ptrdiff_t bytes = 16;

  explicit Block(const char* from) : all_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))) {}

  unsigned match_equal(char c) const { return match(_mm_cmpeq_epi8(all_, _mm_set1_epi8(c))); }
  // Below `low`, which is at most 0x80, or DEL.
  unsigned match_below_or_del(unsigned char low) const {
    const __m128i below = _mm_cmpeq_epi8(_mm_min_epu8(all_, _mm_set1_epi8(static_cast<char>(low - 1))), all_);
    return match(_mm_or_si128(below, _mm_cmpeq_epi8(all_, _mm_set1_epi8(0x7f))));
  }
  // Below `low`, which is at most 0x7f; DEL; or above DEL: as signed bytes those are negative.
  unsigned match_below_or_above_ascii(char low) const {
    return match(_mm_or_si128(_mm_cmplt_epi8(all_, _mm_set1_epi8(low)), _mm_cmpeq_epi8(all_, _mm_set1_epi8(0x7f))));
  }
  // Neither a letter nor a hyphen.
  unsigned match_not_word() const {
    const __m128i from_a = _mm_sub_epi8(_mm_or_si128(all_, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8('z' - 'a')), from_a);
    return match(_mm_or_si128(letter, _mm_cmpeq_epi8(all_, _mm_set1_epi8('-')))) ^ 0xffffU;
  }

  static std::ptrdiff_t first(unsigned match) { return std::countr_zero(match); }
  static unsigned without_first(unsigned match, std::ptrdiff_t bytes_left_out) {
    return match >> bytes_left_out << bytes_left_out;
  }

 private:
  static unsigned match(__m128i mask) { return static_cast<unsigned>(_mm_movemask_epi8(mask)); }
  __m128i all_;
};

#else

class Block {
 public:
  static constexpr std::ptrdiff_t bytes = 8;

  explicit Block(const char* from) {
    std::memcpy(&all_, from, sizeof all_);
    if constexpr (std::endian::native == std::endian::big) all_ = std::byteswap(all_);
  }

  std::uint64_t match_equal(char c) const { return match_below(all_ ^ each * static_cast<unsigned char>(c), 1); }
  std::uint64_t match_below_or_del(unsigned char low) const {
    return match_below(all_, low) | match_below(all_ ^ each * 0x7f, 1);
  }
  std::uint64_t match_below_or_above_ascii(char low) const {
    const std::uint64_t above = all_ & each * 0x80;
    return match_below(all_, static_cast<unsigned char>(low)) | match_below(all_ ^ each * 0x7f, 1) | above;
  }
  std::uint64_t match_not_word() const {
    const std::uint64_t lower = all_ | each * 0x20;
    const std::uint64_t letter = match_below(lower, 'z' + 1) & ~match_below(lower, 'a');
    return ~(letter | match_equal('-')) & each * 0x80;
  }

  static std::ptrdiff_t first(std::uint64_t match) { return std::countr_zero(match) / 8; }
  static std::uint64_t without_first(std::uint64_t match, std::ptrdiff_t bytes_left_out) {
    return match >> 8 * bytes_left_out << 8 * bytes_left_out;
  }

 private:
  static constexpr std::uint64_t each = 0x0101010101010101U;
  // The sums without the highest bits never carry into the next byte.
  static std::uint64_t match_below(std::uint64_t word, unsigned char low) {
    return ~(((word & each * 0x7f) + each * (0x80U - low)) | word) & each * 0x80;
  }
  std::uint64_t all_;
};

#endif

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
