#include "proxy/runtime/keyed_hash.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

namespace baton::runtime {
namespace {

// The vectors of the authors' reference implementation: key 00…0f, input 00, 01, …
TEST(KeyedHash, IsSipHash24) {
  HashKey key;
  std::iota(key.bytes.begin(), key.bytes.end(), std::uint8_t{0});
  std::string input(15, '\0');
  std::iota(input.begin(), input.end(), '\0');
  EXPECT_EQ(keyed_hash(key, ""), 0x726fdb47dd0e0e31ULL);
  EXPECT_EQ(keyed_hash(key, input.substr(0, 1)), 0x74f839c593dc67fdULL);
  EXPECT_EQ(keyed_hash(key, input.substr(0, 8)), 0x93f5f5799a932462ULL);
  EXPECT_EQ(keyed_hash(key, input), 0xa129ca6149be45e5ULL);
}

TEST(KeyedHash, DependsOnItsKey) {
  const HashKey one = HashKey::random();
  const HashKey other = HashKey::random();
  EXPECT_NE(one, other);
  EXPECT_NE(keyed_hash(one, "client"), keyed_hash(other, "client"));
}

}  // namespace
}  // namespace baton::runtime
