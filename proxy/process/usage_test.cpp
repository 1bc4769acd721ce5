#include "proxy/process/usage.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace baton::process {
namespace {

TEST(Usage, IsThatOfThisProcess) {
  const Usage before = usage();
  EXPECT_GT(before.cpu_s, 0);
  EXPECT_GT(before.resident_bytes, 1'000'000U);
  EXPECT_GE(before.virtual_bytes, before.resident_bytes);
  EXPECT_GE(before.threads, 1U);
  EXPECT_GE(before.descriptors_max, before.open_descriptors);
  const int one = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(one, 0);
  EXPECT_EQ(usage().open_descriptors, before.open_descriptors + 1);
  ::close(one);
  EXPECT_EQ(usage().open_descriptors, before.open_descriptors);
}

}  // namespace
}  // namespace baton::process
