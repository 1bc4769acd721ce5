#include "proxy/runtime/keyed_hash.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace baton::runtime {

namespace {

std::uint64_t little_endian(const void* bytes, std::size_t count) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    number |= static_cast<std::uint64_t>(static_cast<const unsigned char*>(bytes)[i]) << (8 * i);
  }
  return number;
}

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

}  // namespace

HashKey HashKey::random() {
  HashKey key;
  while (::getrandom(key.bytes.data(), key.bytes.size(), 0) != static_cast<ssize_t>(key.bytes.size())) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return key;
}

std::uint64_t keyed_hash(const HashKey& key, std::string_view text) {
  const std::uint64_t k0 = little_endian(key.bytes.data(), 8);
  const std::uint64_t k1 = little_endian(key.bytes.data() + 8, 8);
  State state{k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL,
              k1 ^ 0x7465646279746573ULL};
  const std::size_t whole = text.size() & ~std::size_t{7};
  for (std::size_t at = 0; at < whole; at += 8) state.take(little_endian(text.data() + at, 8));
  state.take(little_endian(text.data() + whole, text.size() - whole) | static_cast<std::uint64_t>(text.size()) << 56);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace baton::runtime
