// When failures are enough, and that one client's are not while others are served.
#include "proxy/upstream/suspicion.hpp"

#include <gtest/gtest.h>

namespace baton::upstream {
namespace {

constexpr Suspicion::Terms terms{.failures = 3, .within_ms = 1'000};

TEST(Suspicion, EnoughFailuresWithinTheTimeAreEnough) {
  Suspicion server;
  EXPECT_FALSE(server.is_suspected());
  EXPECT_FALSE(server.note_failure(1, 0, terms));
  EXPECT_TRUE(server.is_suspected());
  EXPECT_FALSE(server.note_failure(1, 500, terms));
  EXPECT_FALSE(server.note_failure(1, 1'000, terms)) << "the first one is too old";
  EXPECT_TRUE(server.note_failure(1, 1'499, terms));
  EXPECT_FALSE(server.is_suspected()) << "counting begins anew";
  EXPECT_FALSE(server.note_failure(1, 1'500, terms));
}

TEST(Suspicion, OneClientCountsOnceWhileOthersAreServed) {
  Suspicion server;
  EXPECT_FALSE(server.note_failure(1, 0, terms));
  server.note_success(2, 1, terms);
  for (int i = 2; i < 100; ++i) EXPECT_FALSE(server.note_failure(1, i, terms)) << i;
  EXPECT_FALSE(server.note_failure(3, 100, terms));
  EXPECT_TRUE(server.note_failure(4, 101, terms)) << "three clients fail";
}

TEST(Suspicion, AClientThatAlsoFailsIsNoWitness) {
  Suspicion server;
  EXPECT_FALSE(server.note_failure(1, 0, terms));
  server.note_success(1, 1, terms);
  server.note_success(2, 2, terms);
  EXPECT_FALSE(server.note_failure(2, 3, terms)) << "the second failure of all";
  server.note_success(2, 4, terms);
  EXPECT_TRUE(server.note_failure(1, 5, terms));
}

TEST(Suspicion, AWitnessIsForgottenAfterTheTime) {
  Suspicion server;
  EXPECT_FALSE(server.note_failure(1, 0, terms));
  server.note_success(2, 1, terms);
  EXPECT_FALSE(server.note_failure(1, 999, terms));
  EXPECT_FALSE(server.note_failure(1, 1'000, terms)) << "two within the time";
  EXPECT_TRUE(server.note_failure(1, 1'001, terms)) << "and nobody was served within it";
}

TEST(Suspicion, EndsWhenTheFailuresAreOld) {
  Suspicion server;
  EXPECT_FALSE(server.note_failure(1, 0, terms));
  server.note_success(2, 999, terms);
  EXPECT_TRUE(server.is_suspected());
  server.note_success(2, 1'000, terms);
  EXPECT_FALSE(server.is_suspected());
}

}  // namespace
}  // namespace baton::upstream
