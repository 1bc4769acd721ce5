// SipHash-2-4 (Aumasson, Bernstein): a hash of 64 bits that nobody can aim without its key.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace baton::runtime {

struct HashKey {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const HashKey&) const = default;

  static HashKey random();
};

std::uint64_t keyed_hash(const HashKey& key, std::string_view text);

// Scrambles all bits (the finaliser of MurmurHash3). Not keyed: for numbers that are hashes already.
constexpr std::uint64_t mix(std::uint64_t number) {
  number ^= number >> 33;
  number *= 0xff51afd7ed558ccdULL;
  number ^= number >> 33;
  number *= 0xc4ceb9fe1a85ec53ULL;
  return number ^ (number >> 33);
}

}  // namespace baton::runtime
