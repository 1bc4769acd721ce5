#include "proxy/http2/huffman.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace baton::http2 {

namespace {

// ── The code ──────────────────────────────────────────────────────────────────────────────────────────────────────

constexpr unsigned eos = 256;
constexpr unsigned symbols_count = 257;
constexpr unsigned bits_min = 5;
constexpr unsigned bits_max = 30;

// The bits of each symbol's code. The code is canonical: codes of one length are consecutive numbers in the order of
// their symbols, and each length continues where the shorter one ends. So the lengths say everything.
constexpr std::array<std::uint8_t, symbols_count> lengths{
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,  // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,  // 0x10
    6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,   // 0x20
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10,  // 0x30
    13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,   // 0x40
    7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,   // 0x50
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,   // 0x60
    6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28,  // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,  // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,  // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,  // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,  // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,  // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,  // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,  // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,  // 0xf0
    30};

// All symbols in the order of their codes, and where each length begins.
struct Canonical {
  std::array<std::uint16_t, symbols_count> symbols{};
  struct Length {
    std::uint16_t first_symbol = 0;  // its place in `symbols`
    std::uint32_t first_code = 0;
    std::uint32_t end = 0;  // the first code beyond, at the top of 32 bits; 0: there is none
  };
  std::array<Length, bits_max + 1> of_length{};
};

constexpr Canonical canonical = [] {
  Canonical made;
  std::uint16_t place = 0;
  std::uint64_t code = 0;
  for (unsigned length = 1; length <= bits_max; ++length) {
    code <<= 1;
    made.of_length[length] = {place, static_cast<std::uint32_t>(code), 0};
    for (unsigned symbol = 0; symbol < symbols_count; ++symbol) {
      if (lengths[symbol] != length) continue;
      made.symbols[place++] = static_cast<std::uint16_t>(symbol);
      ++code;
    }
    made.of_length[length].end = static_cast<std::uint32_t>(code << (32 - length));
  }
  return made;
}();
static_assert(canonical.of_length[bits_max].end == 0, "the code leaves bits without a symbol");
static_assert(canonical.symbols[symbols_count - 1] == eos, "EOS is all ones");

struct Codes {
  std::array<std::uint64_t, 256> bits{};
  std::array<std::uint8_t, 256> lengths{};
};

constexpr Codes codes = [] {
  Codes made;
  for (unsigned length = bits_min; length <= bits_max; ++length) {
    const unsigned first = canonical.of_length[length].first_symbol;
    const unsigned end = length == bits_max ? symbols_count : canonical.of_length[length + 1].first_symbol;
    for (unsigned place = first; place < end; ++place) {
      if (canonical.symbols[place] == eos) continue;
      made.bits[canonical.symbols[place]] = canonical.of_length[length].first_code + place - first;
      made.lengths[canonical.symbols[place]] = static_cast<std::uint8_t>(length);
    }
  }
  return made;
}();

// ── Decoding ──────────────────────────────────────────────────────────────────────────────────────────────────────

// What so many bits begin with: one symbol, or two if both fit.
constexpr unsigned step_bits = 12;
struct Step {
  char symbols[2]{};
  std::uint8_t bits = 0;
  std::uint8_t count = 0;  // 0: a longer code
};

constexpr std::array<Step, 1U << step_bits> steps = [] {
  std::array<Step, 1U << step_bits> made;
  const auto fill = [&](std::uint32_t code, unsigned bits, Step step) {
    const std::uint32_t first = code << (step_bits - bits);
    const std::uint32_t end = (code + 1) << (step_bits - bits);
    for (std::uint32_t i = first; i < end; ++i) made[i] = step;
  };
  for (unsigned one = 0; one < 256; ++one) {
    const unsigned bits = codes.lengths[one];
    if (bits > step_bits) continue;
    fill(static_cast<std::uint32_t>(codes.bits[one]), bits,
         {{static_cast<char>(one), 0}, static_cast<std::uint8_t>(bits), 1});
    for (unsigned two = 0; bits + bits_min <= step_bits && two < 256; ++two) {
      const unsigned both = bits + codes.lengths[two];
      if (both > step_bits) continue;
      fill(static_cast<std::uint32_t>(codes.bits[one] << codes.lengths[two] | codes.bits[two]), both,
           {{static_cast<char>(one), static_cast<char>(two)}, static_cast<std::uint8_t>(both), 2});
    }
  }
  return made;
}();

// The first symbol at the top of `bits`, and the same for one that has more bits than a step.
struct Symbol {
  unsigned number, bits;
};
Symbol long_symbol(std::uint64_t bits) {
  const auto top = static_cast<std::uint32_t>(bits >> 32);
  unsigned length = step_bits + 1;
  while (length < bits_max && top >= canonical.of_length[length].end) ++length;
  const Canonical::Length& those = canonical.of_length[length];
  return {canonical.symbols[those.first_symbol + (top >> (32 - length)) - those.first_code], length};
}
Symbol first_symbol(std::uint64_t bits) {
  const Step& step = steps[bits >> (64 - step_bits)];
  if (step.count == 0) return long_symbol(bits);
  const auto number = static_cast<unsigned char>(step.symbols[0]);
  return {number, lengths[number]};
}

template <class Number>
Number big_endian(const char* at) {
  Number number;
  std::memcpy(&number, at, sizeof number);
  if constexpr (std::endian::native == std::endian::little) number = std::byteswap(number);
  return number;
}

// Up to 8 bytes, at the top of the result.
std::uint64_t top_bytes(const char* at, std::size_t count) {
  if (count >= 8) return big_endian<std::uint64_t>(at);
  if (count >= 4) {
    const std::uint64_t last = big_endian<std::uint32_t>(at + count - 4);
    return std::uint64_t{big_endian<std::uint32_t>(at)} << 32 | last << (64 - 8 * count);
  }
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) bits |= std::uint64_t{static_cast<unsigned char>(at[i])} << (56 - 8 * i);
  return bits;
}

}  // namespace

char* decode_huffman(std::string_view code, char* out) {
  const char* at = code.data();
  std::size_t left = code.size();
  std::uint64_t bits = 0;  // the next ones at the top; `count` of them are known to be there
  unsigned count = 0;
  while (left != 0) {
    bits |= top_bytes(at, left) >> count;
    const std::size_t taken = std::min<std::size_t>(left, (63 - count) / 8);
    at += taken;
    left -= taken;
    count += static_cast<unsigned>(8 * taken);
    while (count >= step_bits) {
      const Step step = steps[bits >> (64 - step_bits)];
      std::memcpy(out, step.symbols, sizeof step.symbols);
      out += step.count;
      bits <<= step.bits;
      count -= step.bits;
      if (step.count != 0) [[likely]]
        continue;
      if (count < bits_max) break;
      const Symbol symbol = long_symbol(bits);
      if (symbol.number == eos) return nullptr;
      *out++ = static_cast<char>(symbol.number);
      bits <<= symbol.bits;
      count -= symbol.bits;
    }
  }
  // The rest is filled up with ones, so what begins like EOS is all ones.
  for (;;) {
    bits |= ~std::uint64_t{0} >> count;
    if (count < 8 && bits == ~std::uint64_t{0}) return out;
    const Symbol symbol = first_symbol(bits);
    if (symbol.bits > count || symbol.number == eos) return nullptr;
    *out++ = static_cast<char>(symbol.number);
    bits <<= symbol.bits;
    count -= symbol.bits;
  }
}

}  // namespace baton::http2
