#include "handoff/page_runs.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <random>
#include <set>
#include <vector>

namespace baton::handoff {
namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t all_bytes = 64 * 1024 * 1024;

class PageRunsTest : public testing::Test {
 protected:
  ~PageRunsTest() override { ::munmap(memory_, all_bytes); }

  // Pages of it that the system has given.
  std::size_t resident() const {
    std::vector<unsigned char> pages(all_bytes / page);
    EXPECT_EQ(::mincore(memory_, all_bytes, pages.data()), 0);
    std::size_t count = 0;
    for (const unsigned char one : pages) count += one & 1u;
    return count;
  }

  char* memory_ = static_cast<char*>(
      ::mmap(nullptr, all_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  PageRuns runs_{memory_, all_bytes, page};
};

TEST_F(PageRunsTest, NeverOverlapWhateverTheOrder) {
  std::mt19937 random(1);
  struct Run {
    char* begin;
    std::size_t bytes;
    char filled_with;
  };
  std::vector<Run> taken;
  for (int step = 0; step < 3'000; ++step) {
    if (taken.size() < 200 && random() % 2 == 0) {
      const std::size_t bytes = 1 + random() % (10 * page);
      auto* const begin = static_cast<char*>(runs_.take(bytes));
      ASSERT_NE(begin, nullptr);
      EXPECT_EQ((begin - memory_) % static_cast<std::ptrdiff_t>(page), 0);
      const char with = static_cast<char>(random());
      std::memset(begin, with, bytes);
      taken.push_back({begin, bytes, with});
    } else if (!taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      const Run run = taken.back();
      taken.pop_back();
      for (std::size_t i = 0; i < run.bytes; ++i) ASSERT_EQ(run.begin[i], run.filled_with);
      runs_.give(run.begin, run.bytes);
    }
  }
  for (const Run& run : taken) runs_.give(run.begin, run.bytes);
  EXPECT_EQ(runs_.taken(), 0u);
  EXPECT_NE(runs_.take(all_bytes), nullptr) << "all of it is one run again";
}

TEST_F(PageRunsTest, AreRefusedWhenNoneIsLargeEnough) {
  EXPECT_EQ(runs_.take(all_bytes + 1), nullptr);
  void* const all = runs_.take(all_bytes);
  EXPECT_EQ(runs_.take(1), nullptr);
  runs_.give(all, all_bytes);
  EXPECT_NE(runs_.take(1), nullptr);
}

TEST_F(PageRunsTest, GiveTheMemoryOfABurstBack) {
  std::vector<void*> burst;
  for (int i = 0; i < 1'000; ++i) burst.push_back(std::memset(runs_.take(8 * page), 1, 8 * page));
  EXPECT_EQ(resident(), 8'000u);
  for (void* one : burst) runs_.give(one, 8 * page);
  EXPECT_LE(resident() * page, 4u * 1024 * 1024) << "what is kept for the next ones";
  EXPECT_EQ(resident() * page, runs_.kept());
}

TEST_F(PageRunsTest, AlwaysKnowHowMuchMemoryIsKept) {
  std::mt19937 random(2);
  std::vector<std::pair<void*, std::size_t>> taken;
  std::size_t used = 0;
  for (int step = 0; step < 2'000; ++step) {
    if (taken.size() < 300 && random() % 2 == 0) {
      const std::size_t bytes = (1 + random() % 100) * page;
      taken.emplace_back(std::memset(runs_.take(bytes), 1, bytes), bytes);
      used += bytes;
    } else if (!taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      runs_.give(taken.back().first, taken.back().second);
      used -= taken.back().second;
      taken.pop_back();
    }
    if (step % 50 == 0) {
      ASSERT_EQ(resident() * page, used + runs_.kept());
    }
  }
}

TEST_F(PageRunsTest, MayHaveUnitsOfAnySize) {
  constexpr std::size_t unit = 16 * page;
  PageRuns large(memory_, all_bytes, unit);
  std::set<void*> different;
  for (std::size_t i = 0; i < all_bytes / unit; ++i) different.insert(large.take(unit - 128));
  EXPECT_EQ(different.size(), all_bytes / unit);
  EXPECT_EQ(large.take(1), nullptr);
  EXPECT_FALSE(different.contains(nullptr));
}

}  // namespace
}  // namespace baton::handoff
