#include "proxy/state/memory.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <mutex>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "proxy/state/state.hpp"

namespace baton::state {
namespace {

// The memory that the system has given and not got back, and the most it gives.
struct System {
  std::atomic<std::size_t> bytes = 0;
  std::atomic<std::size_t> bytes_max = std::numeric_limits<std::size_t>::max();
};
System given;

void* take(std::size_t bytes, std::size_t alignment) {
  void* memory = nullptr;
  if (given.bytes + bytes > given.bytes_max || ::posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
  given.bytes += bytes;
  return memory;
}
void give(void* memory, std::size_t bytes) noexcept {
  given.bytes -= bytes;
  std::free(memory);
}
[[maybe_unused]] const bool is_source = (memory::set_source({take, give}), true);

constexpr std::size_t slab_bytes = 64 * 1024;

struct Block {
  explicit Block(std::size_t size) : bytes(size), at(static_cast<char*>(allocate(size))), mark(++marks) {
    std::memset(at, mark, bytes);
  }
  bool is_whole() const {
    for (std::size_t i = 0; i < bytes; ++i) {
      if (at[i] != mark) return false;
    }
    return true;
  }
  void free() const { deallocate(at, bytes); }

  static inline std::atomic<char> marks = 0;
  std::size_t bytes;
  char* at;
  char mark;
};

TEST(Memory, BlocksOfAllSizesAreApart) {
  std::mt19937_64 random(1);
  std::vector<Block> blocks;
  const auto size = [&]() -> std::size_t {
    switch (random() % 20) {
      case 0:
        return Buffer::block_bytes;
      case 1:
        return random() % 100'000;
      default:
        return random() % 1'100;
    }
  };
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 8 < 5 || blocks.empty()) {
      blocks.emplace_back(size());
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(blocks.back().at) % 16, 0U);
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      ASSERT_TRUE(blocks.back().is_whole());
      blocks.back().free();
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) {
    ASSERT_TRUE(block.is_whole());
    block.free();
  }
}

TEST(Memory, WhatWasFreedIsUsedAgain) {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{600}, Buffer::block_bytes}) {
    deallocate(allocate(bytes), bytes);
    const std::size_t before = given.bytes;
    void* const block = allocate(bytes);
    deallocate(block, bytes);
    EXPECT_EQ(allocate(bytes), block);
    deallocate(block, bytes);
    EXPECT_EQ(given.bytes, before);
  }
}

TEST(Memory, GoesBackToTheSystemAfterABurst) {
  free_spare_memory();
  const std::size_t before = given.bytes;
  for (const std::size_t bytes : {std::size_t{48}, sizeof(Exchange), sizeof(Tls)}) {
    std::vector<Block> blocks;
    for (int i = 0; i < 10'000; ++i) blocks.emplace_back(bytes);
    EXPECT_GE(given.bytes, before + blocks.size() * bytes);
    for (const Block& block : blocks) block.free();
    EXPECT_LE(given.bytes, before + 6 * slab_bytes) << "what is kept for later use is in two slabs of each size";
  }
  EXPECT_TRUE(free_spare_memory());
  EXPECT_EQ(given.bytes, before);
  EXPECT_FALSE(free_spare_memory());
}

TEST(Memory, OfAThreadThatEndsIsThere) {
  free_spare_memory();
  const std::size_t before = given.bytes;
  std::vector<Block> blocks;
  std::thread([&] {
    for (int i = 0; i < 1'000; ++i) blocks.emplace_back(sizeof(Exchange));
    for (int i = 0; i < 100; ++i) Block(Buffer::block_bytes).free();
  }).join();
  for (const Block& block : blocks) {
    ASSERT_TRUE(block.is_whole());
    block.free();
  }
  free_spare_memory();
  EXPECT_EQ(given.bytes, before) << "nothing is left with the thread that took it";
}

// A destructor that runs after its thread's lists have ended.
void end_late(void* block) {
  deallocate(block, 100);
  deallocate(allocate(100), 100);
}

TEST(Memory, MayBeTakenAndFreedWhenItsThreadHasEnded) {
  free_spare_memory();
  const std::size_t before = given.bytes;
  pthread_key_t late{};  // created after the key of the lists
  ASSERT_EQ(::pthread_key_create(&late, end_late), 0);
  std::thread([&] { ::pthread_setspecific(late, allocate(100)); }).join();
  ::pthread_key_delete(late);
  free_spare_memory();
  EXPECT_EQ(given.bytes, before);
}

// Like connections, which go from the decoding thread to their workers, and between workers at a handover.
TEST(Memory, GoesFromThreadToThread) {
  free_spare_memory();
  const std::size_t before = given.bytes;
  constexpr int threads = 4;
  constexpr int blocks_each = 20'000;
  struct Queue {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Block> blocks;
  };
  std::vector<Queue> queues(threads);
  std::atomic<int> torn = 0;
  const auto run = [&](int self) {
    std::mt19937_64 random(static_cast<std::uint64_t>(self));
    Queue& mine = queues[static_cast<std::size_t>(self)];
    Queue& next = queues[static_cast<std::size_t>((self + 1) % threads)];
    for (int i = 0; i < blocks_each; ++i) {
      Block made(random() % 700);
      {
        const std::lock_guard lock(next.mutex);
        next.blocks.push_back(made);
      }
      next.changed.notify_one();
      std::unique_lock lock(mine.mutex);
      mine.changed.wait(lock, [&] { return !mine.blocks.empty(); });
      const Block got = mine.blocks.front();
      mine.blocks.pop_front();
      lock.unlock();
      if (!got.is_whole()) ++torn;
      got.free();
    }
  };
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(run, i);
  for (std::thread& one : all) one.join();
  EXPECT_EQ(torn, 0);
  free_spare_memory();
  EXPECT_EQ(given.bytes, before);
}

TEST(Memory, ThatIsMissingIsTakenFromWhatIsKept) {
  free_spare_memory();
  std::vector<Block> blocks;
  for (int i = 0; i < 100; ++i) blocks.emplace_back(Buffer::block_bytes);
  for (const Block& block : blocks) block.free();
  given.bytes_max = given.bytes.load();
  Block(1000).free();
  Block(10'000).free();
  given.bytes_max = std::numeric_limits<std::size_t>::max();
}

TEST(Memory, ThatIsMissingThrows) {
  const std::vector<std::size_t> sizes{16, 500, 5'000, Buffer::block_bytes, 1'000'000};
  for (const std::size_t bytes : sizes) {
    free_spare_memory();
    given.bytes_max = given.bytes.load();
    std::vector<Block> blocks;
    // A slab that is in use may still have room.
    EXPECT_THROW(while (blocks.size() < 100'000) blocks.emplace_back(bytes), std::bad_alloc) << bytes;
    given.bytes_max = std::numeric_limits<std::size_t>::max();
    for (const Block& block : blocks) block.free();
    Block(bytes).free();
  }
}

TEST(String, HoldsTextsOfAllLengths) {
  const std::string all = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (std::size_t size = 0; size <= all.size(); ++size) {
    const std::string text = all.substr(0, size);
    String string = text;
    EXPECT_EQ(string, text);
    EXPECT_EQ(string.size(), size);
    EXPECT_EQ(string.empty(), size == 0);
    EXPECT_STREQ(string.c_str(), text.c_str());
    const String copy = string;
    EXPECT_EQ(copy, string);
    String moved = std::move(string);
    EXPECT_EQ(moved, copy);
    EXPECT_TRUE(string.empty());  // NOLINT(bugprone-use-after-move)
    string = "another text, and a long one";
    string = moved;
    EXPECT_EQ(string, text);
    string = std::string_view(string).substr(size / 2);
    EXPECT_EQ(string, text.substr(size / 2));
    moved.clear();
    EXPECT_EQ(moved, "");
    EXPECT_STREQ(moved.c_str(), "");
    EXPECT_NE(copy, text + "!");
  }
  EXPECT_EQ(String(std::string_view("a\0b", 3)).size(), 3U);
}

TEST(String, OfAShortTextTakesNoMemory) {
  free_spare_memory();
  const std::size_t before = given.bytes;
  const String shortest = "14 characters.";
  EXPECT_EQ(given.bytes, before);
  const String longer = "15 characters..";
  EXPECT_NE(given.bytes, before);
}

TEST(Buffer, TakesABlockAgainThatWasGivenBack) {
  Buffer buffer;
  char* const block = buffer.prepare(1);
  buffer.clear();
  EXPECT_EQ(buffer.prepare(1), block);
}

TEST(Boxed, IsFreedAndCopiedDeeply) {
  free_spare_memory();
  const std::size_t before = given.bytes;
  {
    Boxed<AccessRecord> one;
    EXPECT_FALSE(one);
    one.emplace().request_line = "GET /a/long/path HTTP/1.1";
    Boxed<AccessRecord> other = one;
    EXPECT_EQ(one, other);
    other->referer = "x";
    EXPECT_FALSE(one == other);
    other.emplace();
    EXPECT_TRUE(other->referer.empty());
    one = std::move(other);
    EXPECT_FALSE(other);  // NOLINT(bugprone-use-after-move)
    one.reset();
    EXPECT_EQ(one, other);
  }
  free_spare_memory();
  EXPECT_EQ(given.bytes, before);
}

}  // namespace
}  // namespace baton::state
