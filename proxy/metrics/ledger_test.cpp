#include "proxy/metrics/ledger.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "proxy/metrics/families.hpp"

namespace baton::metrics {
namespace {

using testing::ElementsAre;
using testing::Pair;

handoff::UniqueFd copy_of(Ledger& ledger) {
  return handoff::UniqueFd(::fcntl(ledger.to_pass_on(), F_DUPFD_CLOEXEC, 3));
}

TEST(SeriesName, IsAsPrometheusWritesIt) {
  EXPECT_EQ(series_name("a_total", {}), "a_total");
  EXPECT_EQ(series_name("a_total", {{"x", "1"}, {"y", "b\"c\\d\ne\xff"}}),
            "a_total{x=\"1\",y=\"b\\\"c\\\\d\\ne\uFFFD\"}");
}

TEST(SeriesName, GivesItsLabelsBack) {
  const std::string name = series_name("a", {{"x", "1,y=\"2\"}"}, {"y", "\\"}, {"yy", ""}});
  EXPECT_EQ(label_of(name, "x"), R"(1,y=\"2\"})");
  EXPECT_EQ(label_of(name, "y"), R"(\\)");
  EXPECT_EQ(label_of(name, "yy"), "");
  EXPECT_EQ(label_of(name, "z"), "");
  EXPECT_EQ(label_of("a", "x"), "");
  EXPECT_EQ(label_of("a{x=\"1", "x"), "");
  EXPECT_EQ(label_of("a{x=\"1\\", "x"), "");
}

TEST(Ledger, Counts) {
  Ledger ledger;
  const Series one = ledger.series("one_total");
  one.add(2);
  ledger.add("one_total");
  ledger.series("two", 3).add(7, 2);
  ledger.series("two", 3).add(1, 3);  // it has no such number
  EXPECT_THAT(ledger.read(), ElementsAre(Pair("one_total", ElementsAre(3)), Pair("two", ElementsAre(0, 0, 7))));
}

TEST(Ledger, ASuccessorGoesOnInTheSameMemory) {
  Ledger before;
  before.add("one_total", 5);
  Ledger after;
  after.add("one_total", 1);
  after.add("new_total", 2);
  const Series held = after.series("one_total");
  ASSERT_TRUE(after.adopt(copy_of(before)));
  EXPECT_TRUE(after.is_adopted());
  EXPECT_FALSE(before.is_adopted());
  held.add(100);  // of the memory from before: harmless, and not counted
  before.add("one_total", 10);
  after.add("one_total", 20);
  before.add("new_total", 40);
  const auto expected = ElementsAre(Pair("new_total", ElementsAre(42)), Pair("one_total", ElementsAre(36)));
  EXPECT_THAT(before.read(), expected);
  EXPECT_THAT(after.read(), expected);
}

TEST(Ledger, ProcessesAndThreadsAppendAtTheSameTime) {
  Ledger ledger;
  constexpr int processes = 4;
  constexpr int threads = 4;
  constexpr int names = 200;
  const auto count = [](Ledger& into) {
    std::vector<std::jthread> all;
    for (int i = 0; i < threads; ++i) {
      all.emplace_back([&into] {
        for (int name = 0; name < names; ++name) into.add("n" + std::to_string(name) + "_total");
      });
    }
  };
  std::vector<pid_t> children;
  for (int i = 0; i < processes; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Ledger own;
      if (!own.adopt(copy_of(ledger))) ::_exit(1);
      count(own);
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  count(ledger);
  const auto all = ledger.read();
  EXPECT_EQ(all.size(), std::size_t{names});
  for (const auto& [name, numbers] : all) EXPECT_THAT(numbers, ElementsAre((processes + 1) * threads)) << name;
}

TEST(Ledger, ASeriesThatSomebodyDiedWritingIsPassedOver) {
  Ledger before;
  before.add("one_total");
  // What a process leaves that reserves 64 bytes and dies.
  Ledger reader;
  auto* const data = static_cast<std::byte*>(
      ::mmap(nullptr, Ledger::bytes, PROT_READ | PROT_WRITE, MAP_SHARED, before.to_pass_on(), 0));
  ASSERT_NE(data, MAP_FAILED);
  std::uint32_t size = 0;
  std::size_t end = 8;
  while (std::memcpy(&size, data + end, 4), size != 0) end += size;
  const std::uint32_t reserved = 64;
  std::memcpy(data + end, &reserved, 4);
  before.add("two_total", 2);
  ASSERT_TRUE(reader.adopt(copy_of(before)));
  reader.add("two_total", 3);
  EXPECT_THAT(reader.read(), ElementsAre(Pair("one_total", ElementsAre(1)), Pair("two_total", ElementsAre(5))));
  // It was slow only, and finishes.
  const std::uint16_t numbers = 1;
  const std::uint16_t length = 7;
  std::memcpy(data + end + 6, &numbers, 2);
  std::memcpy(data + end + 16, "x_total", length);
  std::memcpy(data + end + 4, &length, 2);
  reader.add("x_total", 9);
  EXPECT_THAT(before.read(), testing::Contains(Pair("x_total", ElementsAre(9))));
  ::munmap(data, Ledger::bytes);
}

TEST(Ledger, IsFullAtItsEndAndHarmless) {
  Ledger ledger;
  const std::string long_name(50'000, 'x');
  for (int i = 0; i < 1'000; ++i) ledger.add(long_name + std::to_string(i));
  const std::size_t held = ledger.read().size();
  EXPECT_GT(held, 300U);
  EXPECT_LT(held, 340U);
  EXPECT_FALSE(ledger.series(long_name + "other"));
  EXPECT_TRUE(ledger.series(long_name + "0"));
  EXPECT_TRUE(ledger.series("short_total")) << "there is room for a small one";
  EXPECT_FALSE(ledger.series(std::string(70'000, 'x')));
  EXPECT_FALSE(ledger.series("many", 1'000));
  EXPECT_FALSE(ledger.series(""));
}

TEST(Ledger, ReadsWhateverAnotherProcessWrote) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::minstd_rand random(seed);
    Ledger before;
    for (int i = 0; i < 20; ++i) before.add("n" + std::to_string(i) + "_total");
    auto* const data = static_cast<unsigned char*>(
        ::mmap(nullptr, Ledger::bytes, PROT_READ | PROT_WRITE, MAP_SHARED, before.to_pass_on(), 0));
    for (int i = 0; i < 50; ++i) data[8 + random() % 800] = static_cast<unsigned char>(random());
    Ledger after;
    ASSERT_TRUE(after.adopt(copy_of(before)));
    after.add("new_total");
    (void)after.read();
    ::munmap(data, Ledger::bytes);
  }
}

TEST(Ledger, ASeriesThatWouldReachBeyondTheMemoryIsNotRead) {
  Ledger before;
  before.add("one_total");
  auto* const data = static_cast<std::byte*>(
      ::mmap(nullptr, Ledger::bytes, PROT_READ | PROT_WRITE, MAP_SHARED, before.to_pass_on(), 0));
  ASSERT_NE(data, MAP_FAILED);
  const auto write = [data](std::size_t at, std::uint32_t size, std::uint16_t name_length, std::uint16_t numbers) {
    std::memcpy(data + at, &size, 4);
    std::memcpy(data + at + 4, &name_length, 2);
    std::memcpy(data + at + 6, &numbers, 2);
  };
  const std::size_t last = Ledger::bytes - 24;
  write(8, static_cast<std::uint32_t>(last - 8), 0, 0);  // passed over
  write(last, 24, 3, 1);
  EXPECT_EQ(before.read().size(), 1U) << "it ends with the memory";
  write(last, 32, 3, 1);
  EXPECT_EQ(before.read().size(), 0U);
  write(last, 24, 60'000, 1);
  EXPECT_EQ(before.read().size(), 0U);
  ::munmap(data, Ledger::bytes);
}

TEST(Ledger, AdoptsNothingElse) {
  Ledger ledger;
  EXPECT_FALSE(ledger.adopt({}));
  EXPECT_FALSE(ledger.adopt(handoff::UniqueFd(::open("/dev/zero", O_RDWR | O_CLOEXEC))));
  const auto other = runtime::SharedMemory::create("other", Ledger::bytes);
  EXPECT_FALSE(ledger.adopt(handoff::UniqueFd(::fcntl(other.descriptor(), F_DUPFD_CLOEXEC, 3)))) << "it has no mark";
  EXPECT_FALSE(ledger.is_adopted());
}

TEST(Totals, SumSeries) {
  const Totals totals({{"a_total", {1}},
                       {R"(a_total{x="1",y="2"})", {2, 100}},
                       {R"(a_total{x="2"})", {4}},
                       {"a_total_other", {8}},
                       {R"(requests_total{route="r",code="5xx"})", {3}},
                       {R"(requests_total{route="r",code="2xx"})", {4}},
                       {R"(requests_total{route="",code="2xx"})", {5}}});
  EXPECT_EQ(totals.sum("a_total"), 7U);
  EXPECT_EQ(totals.sum("a_total", "x", "1"), 2U);
  EXPECT_EQ(totals.sum("a"), 0U);
  EXPECT_EQ(totals.value(R"(a_total{x="2"})"), 4U);
  EXPECT_EQ(totals.value("b"), 0U);
  const auto routes = requests_by_route(totals);
  EXPECT_EQ(routes.at("r").all, 7U);
  EXPECT_EQ(routes.at("r").failed, 3U);
  EXPECT_EQ(routes.at("").all, 5U);
}

}  // namespace
}  // namespace baton::metrics
