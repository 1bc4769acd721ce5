#include "proxy/runtime/shared_memory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <span>

namespace baton::runtime {
namespace {

constexpr std::size_t bytes = 8192;

handoff::UniqueFd copy_of(int descriptor) {
  return handoff::UniqueFd(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
}

TEST(SharedMemory, IsZeroAndThenTheSameForAll) {
  const SharedMemory one = SharedMemory::create("test", bytes);
  EXPECT_TRUE(std::ranges::all_of(std::span(one.data(), bytes), [](std::byte b) { return b == std::byte{0}; }));
  const auto other = SharedMemory::attach(copy_of(one.descriptor()), bytes);
  ASSERT_TRUE(other);
  one.data()[4711] = std::byte{42};
  EXPECT_EQ(other->data()[4711], std::byte{42});
}

TEST(SharedMemory, KeepsItsSize) {
  const SharedMemory memory = SharedMemory::create("test", bytes);
  EXPECT_NE(::ftruncate(memory.descriptor(), 0), 0);
  EXPECT_NE(::ftruncate(memory.descriptor(), 2 * bytes), 0);
  EXPECT_NE(::fcntl(memory.descriptor(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0) << "no more seals";
}

TEST(SharedMemory, IsNotTakenUnlessItsSizeIsFixedAndRight) {
  const SharedMemory memory = SharedMemory::create("test", bytes);
  EXPECT_FALSE(SharedMemory::attach(copy_of(memory.descriptor()), 2 * bytes));
  EXPECT_FALSE(SharedMemory::attach({}, bytes));
  handoff::UniqueFd unsealed(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(unsealed.get(), bytes), 0);
  EXPECT_FALSE(SharedMemory::attach(copy_of(unsealed.get()), bytes));
  ASSERT_EQ(::fcntl(unsealed.get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  EXPECT_FALSE(SharedMemory::attach(copy_of(unsealed.get()), bytes)) << "it can still shrink";
  EXPECT_FALSE(SharedMemory::attach(handoff::UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC)), bytes));
}

}  // namespace
}  // namespace baton::runtime
