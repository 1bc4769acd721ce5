#include "proxy/canary/share.hpp"

#include <gtest/gtest.h>

namespace baton::canary {
namespace {

constexpr std::uint64_t first_hash_of(std::uint64_t slot) {
  return slot << 48;
}

TEST(ShareOfACanary, HasWholeSlotsAndSaysHowMany) {
  for (const std::uint16_t hundredths : {0, 1, 2, 33, 500, 2500, 9999, 10'000}) {
    const Share share(hundredths);
    std::uint32_t slots = 0;
    for (std::uint64_t slot = 0; slot < slot_count; ++slot) {
      const bool is_in = share.has(first_hash_of(slot));
      EXPECT_EQ(is_in, share.has(first_hash_of(slot) | 0xffff'ffff'ffff)) << "clients of a slot are on one side";
      slots += is_in ? 1 : 0;
    }
    EXPECT_EQ(share.fraction(), static_cast<double>(slots) / slot_count);
    EXPECT_GE(slots, 1U);
    EXPECT_NEAR(share.fraction(), hundredths / 1e4, 1.0 / slot_count);
  }
  EXPECT_EQ(Share(10'000).fraction(), 1);
}

}  // namespace
}  // namespace baton::canary
