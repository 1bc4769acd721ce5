#include "proxy/keeper/survivors.hpp"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

namespace baton::keeper {
namespace {

handoff::UniqueFd new_file() { return handoff::UniqueFd(::memfd_create("file", MFD_CLOEXEC)); }

TEST(Survivors, HaveTheLockOfTheirWorker) {
  handoff::UniqueFd file = new_file();
  Control control;
  control.set_lock(file.get());
  Survivors survivors(control, 1);
  EXPECT_TRUE(survivors.take_lock());
  (void)file.release();  // the survivors close it
}

TEST(Survivors, HaveItNoMoreWhenTheWorkerHasResigned) {
  handoff::UniqueFd file = new_file();
  handoff::UniqueFd heirs(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDWR | O_CLOEXEC));
  Control control;
  control.set_lock(file.get());
  control.has_resigned = true;
  ASSERT_EQ(::flock(heirs.get(), LOCK_EX | LOCK_NB), 0);
  Survivors survivors(control, 1);
  EXPECT_FALSE(survivors.take_lock());
  (void)file.release();
}

// The lock was closed, and its number is that of a log.
TEST(Survivors, TakeNoOtherFileForTheLock) {
  handoff::UniqueFd file = new_file();
  const handoff::UniqueFd other = new_file();
  Control control;
  control.set_lock(file.get());
  ASSERT_GE(::dup2(other.get(), file.get()), 0);
  Survivors survivors(control, 1);
  EXPECT_FALSE(survivors.take_lock());
  handoff::UniqueFd again(::open(("/proc/self/fd/" + std::to_string(other.get())).c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::flock(again.get(), LOCK_EX | LOCK_NB), 0) << "it was locked";
}

}  // namespace
}  // namespace baton::keeper
