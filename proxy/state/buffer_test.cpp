#include "proxy/state/buffer.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>

namespace baton::state {
namespace {

TEST(Buffer, HoldsNoMemoryWhenEmpty) {
  Buffer buffer;
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.room(), 0U);
  buffer.append("abc");
  EXPECT_GT(buffer.room(), 0U);
  buffer.consume(3);
  EXPECT_EQ(buffer.room(), 0U);
  EXPECT_EQ(buffer.view(), "");
}

TEST(Buffer, GivesAWholeBlockForAnyNeed) {
  Buffer buffer;
  char* const first = buffer.prepare(1);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(buffer.room(), Buffer::block_bytes);
  buffer.commit(0);
  EXPECT_EQ(buffer.room(), 0U);
}

TEST(Buffer, ConsumingMoreThanThereIsEmptiesIt) {
  Buffer buffer;
  buffer.append("abc");
  buffer.consume(1000);
  EXPECT_TRUE(buffer.empty());
}

TEST(Buffer, GrowsWithItsBytesInOrder) {
  Buffer buffer;
  std::string expected;
  for (int i = 0; expected.size() < 5 * Buffer::block_bytes; ++i) {
    const std::string piece = std::to_string(i) + ",";
    buffer.append(piece);
    expected += piece;
  }
  EXPECT_EQ(buffer.view(), expected);
}

TEST(Buffer, UsesItsFrontAgainBeforeItGrows) {
  Buffer buffer;
  buffer.append(std::string(Buffer::block_bytes, 'a'));
  buffer.consume(Buffer::block_bytes - 10);
  const char* const expected = buffer.data() - (Buffer::block_bytes - 10);
  buffer.append(std::string(100, 'b'));
  EXPECT_EQ(buffer.data(), expected);
  EXPECT_EQ(buffer.view(), std::string(10, 'a') + std::string(100, 'b'));
}

// A connection whose buffer is always full, as behind a slow reader with a large limits.buffer_bytes.
TEST(Buffer, MovesWhatItHoldsSeldomWhileAsMuchComesAsGoes) {
  constexpr std::size_t held = std::size_t{4} << 20;
  constexpr std::size_t piece_bytes = std::size_t{16} << 10;
  const std::string piece(piece_bytes, 'x');
  Buffer buffer;
  std::size_t moved = 0;
  std::size_t appended = 0;
  std::size_t capacity_max = 0;
  const auto append = [&] {
    const char* const before = buffer.data();
    const std::size_t size = buffer.size();
    buffer.append(piece);
    if (buffer.data() != before) {
      moved += size;
      capacity_max = std::max(capacity_max, buffer.size() + buffer.room());
    }
    appended += piece_bytes;
  };
  while (buffer.size() < held) append();
  EXPECT_LE(moved, 8 * appended) << "while it grew";
  for (int i = 0; i < 4096; ++i) {
    buffer.consume(piece_bytes);
    append();
  }
  EXPECT_LE(moved, 8 * appended);
  EXPECT_LE(capacity_max, held + held / 2);
}

TEST(Buffer, CopiesAndMovesLikeAValue) {
  Buffer buffer;
  buffer.append("value");
  Buffer copy = buffer;
  EXPECT_EQ(copy, buffer);
  EXPECT_NE(copy.data(), buffer.data());
  Buffer moved = std::move(buffer);
  EXPECT_EQ(moved.view(), "value");
  const Buffer& itself = moved;
  moved = itself;
  EXPECT_EQ(moved.view(), "value");
  copy = Buffer{};
  EXPECT_TRUE(copy.empty());
  Buffer empty_copy = copy;
  EXPECT_EQ(empty_copy, copy);
}

TEST(Buffer, MovesAllOfItselfWithoutCopying) {
  Buffer from;
  Buffer to;
  from.append("bytes");
  const char* const data = from.data();
  from.move_to(to, 5);
  EXPECT_EQ(to.data(), data);
  EXPECT_EQ(to.view(), "bytes");
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(from.room(), 0U);
}

TEST(Buffer, MovesAPartBehindWhatIsThere) {
  Buffer from;
  Buffer to;
  from.append("abcdef");
  to.append("12");
  from.move_to(to, 2);
  EXPECT_EQ(to.view(), "12ab");
  EXPECT_EQ(from.view(), "cdef");
  from.move_to(to, 4);
  EXPECT_EQ(to.view(), "12abcdef");
  EXPECT_TRUE(from.empty());
}

TEST(Buffer, HoldsInLittleMemoryWhatMayStay) {
  Buffer buffer;
  buffer.hold("");
  EXPECT_EQ(buffer.room(), 0U);
  buffer.hold("some bytes");
  EXPECT_EQ(buffer.view(), "some bytes");
  EXPECT_EQ(buffer.room(), 0U);
  buffer.append(", and more");
  EXPECT_EQ(buffer.view(), "some bytes, and more");
  EXPECT_EQ(buffer.size() + buffer.room(), Buffer::block_bytes);
  buffer.hold(", and the rest");
  EXPECT_EQ(buffer.view(), "some bytes, and more, and the rest");
}

TEST(Buffer, HoldsMoreThanABlock) {
  const std::string bytes(Buffer::block_bytes + 1, 'x');
  Buffer buffer;
  buffer.hold(bytes);
  EXPECT_EQ(buffer.view(), bytes);
}

TEST(Buffer, RefusesMoreThanItCanCount) {
  Buffer buffer;
  buffer.append("abc");
  EXPECT_THROW(buffer.prepare(std::size_t{1} << 32), std::length_error);
  EXPECT_THROW(buffer.prepare(SIZE_MAX - 1), std::length_error);
  EXPECT_EQ(buffer.view(), "abc");
}

// Any sequence of operations leaves the same bytes as in a model that uses std::string.
TEST(Buffer, MayBeViewedWithAGuardBehindIt) {
  Buffer buffer;
  EXPECT_EQ(buffer.view_with("|"), "") << "it holds no memory";
  buffer.append("abc");
  buffer.consume(1);
  EXPECT_EQ(buffer.view_with("|"), "bc|");
  EXPECT_EQ(buffer.view(), "bc");
  buffer.append("d");
  EXPECT_EQ(buffer.view(), "bcd");
  buffer.append(std::string(buffer.room(), 'x'));
  EXPECT_EQ(buffer.view_with("|"), "") << "it is full";
}

TEST(Buffer, IsAStringUnderAnySequenceOfOperations) {
  std::mt19937 random{20};
  const auto below = [&random](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>{0, end - 1}(random);
  };
  Buffer buffers[2];
  std::string models[2];
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t which = below(2);
    Buffer& buffer = buffers[which];
    std::string& model = models[which];
    switch (below(7)) {
      case 6: {
        const std::string piece(below(200), 'h');
        buffer.hold(piece);
        model += piece;
        break;
      }
      case 0: {
        const std::string piece(below(20'000), static_cast<char>('a' + step % 26));
        buffer.append(piece);
        model += piece;
        break;
      }
      case 1: {
        const std::size_t bytes = 1 + below(5'000);
        char* const memory = buffer.prepare(bytes);
        ASSERT_GE(buffer.room(), bytes);
        std::memset(memory, 'z', buffer.room());
        const std::size_t written = below(bytes + 1);
        buffer.commit(written);
        model.append(written, 'z');
        break;
      }
      case 2:
      case 3: {
        const std::size_t bytes = below(30'000);
        buffer.consume(bytes);
        model.erase(0, bytes);
        break;
      }
      case 4: {
        const std::size_t bytes = below(model.size() + 1);
        buffer.move_to(buffers[1 - which], bytes);
        models[1 - which] += model.substr(0, bytes);
        model.erase(0, bytes);
        break;
      }
      default:
        if (below(20) == 0) {
          buffer.clear();
          model.clear();
        } else {
          buffers[0].swap(buffers[1]);
          models[0].swap(models[1]);
        }
    }
    ASSERT_EQ(buffers[0].view(), models[0]);
    ASSERT_EQ(buffers[1].view(), models[1]);
  }
}

// A thread's variables are destroyed in reverse order of construction, so this one outlives the list of free blocks.
TEST(Buffer, MayOutliveTheFreeListOfItsThread) {
  std::thread([] {
    thread_local std::optional<Buffer> last;
    last.emplace();
    last->append("still held when the thread ends");
  }).join();
}

}  // namespace
}  // namespace baton::state
