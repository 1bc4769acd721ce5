#include "proxy/worker/failure_lines.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace baton::proxy {
namespace {

using Kind = FailureLines::Kind;

TEST(FailureLines, AreOneASecondOfEachKindAndSubject) {
  FailureLines lines;
  EXPECT_EQ(lines.next(Kind::connect, "192.0.2.1:80", 1'000), "");
  EXPECT_FALSE(lines.next(Kind::connect, "192.0.2.1:80", 1'999));
  EXPECT_EQ(lines.next(Kind::connect, "192.0.2.2:80", 1'999), "");
  EXPECT_EQ(lines.next(Kind::server, "192.0.2.1:80", 1'999), "");
  EXPECT_EQ(lines.next(Kind::tls, "", 1'999), "");
  EXPECT_EQ(lines.next(Kind::arrival, "", 1'999), "") << "a flood of bad handshakes does not hide a bad PROXY header";
  EXPECT_EQ(lines.next(Kind::connect, "192.0.2.1:80", 2'000), " (1 more since the last such line)");
}

TEST(FailureLines, AreThoseOfAllWorkers) {
  FailureLines lines;
  LineGate gate;
  std::atomic<int> written = 0, opened = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      for (int j = 0; j < 1'000; ++j) {
        if (lines.next(Kind::tls, "", 5'000)) ++written;
        if (gate.opens(5'000, 1'000)) ++opened;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(written, 1);
  EXPECT_EQ(lines.next(Kind::tls, "", 6'000), " (3999 more since the last such line)");
  EXPECT_EQ(opened, 1);
  EXPECT_TRUE(gate.opens(6'000, 1'000));
}

}  // namespace
}  // namespace baton::proxy
