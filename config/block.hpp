// Sixteen or eight bytes of a text, examined together.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace baton::config {

// A match has a bit for each matching byte, in order.
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

  // Writes them with the ASCII letters in lowercase.
  void write_lowercase(char* to) const {
    const __m128i from_a = _mm_sub_epi8(all_, _mm_set1_epi8('A'));
    const __m128i upper = _mm_cmpeq_epi8(_mm_min_epu8(from_a, _mm_set1_epi8('Z' - 'A')), from_a);
    const __m128i lower = _mm_or_si128(all_, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), lower);
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
    all_ = little_endian(all_);
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

  void write_lowercase(char* to) const {
    const std::uint64_t upper = match_below(all_, 'Z' + 1) & ~match_below(all_, 'A');
    const std::uint64_t lower = little_endian(all_ | upper >> 2);
    std::memcpy(to, &lower, sizeof lower);
  }

  static std::ptrdiff_t first(std::uint64_t match) { return std::countr_zero(match) / 8; }
  static std::uint64_t without_first(std::uint64_t match, std::ptrdiff_t bytes_left_out) {
    return match >> 8 * bytes_left_out << 8 * bytes_left_out;
  }

 private:
  static constexpr std::uint64_t each = 0x0101010101010101U;
  static std::uint64_t little_endian(std::uint64_t word) {
    return std::endian::native == std::endian::big ? std::byteswap(word) : word;
  }
  // The sums without the highest bits never carry into the next byte.
  static std::uint64_t match_below(std::uint64_t word, unsigned char low) {
    return ~(((word & each * 0x7f) + each * (0x80U - low)) | word) & each * 0x80;
  }
  std::uint64_t all_;
};

#endif

}  // namespace baton::config
