// How many newcomers are accepted in addition to present and expected connections.
#include <gtest/gtest.h>

#include "proxy/worker/worker.hpp"

namespace baton::proxy {
namespace {

// The number that is let in if each uses this many sockets for servers.
std::uint64_t let_in(Shared& shared, std::uint64_t upstreams_of_each) {
  shared.connections = shared.sockets = 0;
  while (!shared.is_full()) {
    ++shared.connections;
    shared.sockets += 1 + upstreams_of_each;
  }
  return shared.connections;
}

TEST(Newcomers, GetASocketOnlyBesideOneForTheirServer) {
  Shared shared;
  shared.sockets_max = 100;
  EXPECT_EQ(let_in(shared, 1), 50u);
  EXPECT_EQ(let_in(shared, 0), 80u) << "idle: a fifth is kept for servers";
  EXPECT_FALSE(shared.has_few_sockets_left());
  shared.connections_max = 60;
  EXPECT_EQ(let_in(shared, 0), 60u);
  EXPECT_EQ(let_in(shared, 1), 50u);
  shared.connections_max = 0;
  for (std::uint64_t most = 2; most < 20; ++most) {
    shared.sockets_max = most;
    EXPECT_GE(let_in(shared, 1), 1u) << most;
    EXPECT_LE(shared.sockets, most);
  }
}

// Otherwise they would wait for as long as idle connections to servers live.
TEST(Newcomers, WaitOnlyWhileFewSocketsAreLeftOrManyClientsAreHere) {
  for (std::uint64_t most = 2; most < 300; ++most) {
    Shared shared;
    shared.sockets_max = most;
    shared.connections = shared.sockets = 1;
    while (!shared.is_full()) ++shared.sockets;
    EXPECT_TRUE(shared.has_few_sockets_left()) << most;
  }
}

TEST(Newcomers, GetNoSocketOfWhatIsStillToCome) {
  Shared shared;
  shared.sockets_max = 100;
  shared.expect({.connections = 40, .descriptors = 80});
  EXPECT_EQ(let_in(shared, 0), 10u) << "each counts with its server's";
  EXPECT_TRUE(shared.has_sockets_for_expected());
  shared.expect({.connections = 50, .descriptors = 100});
  EXPECT_FALSE(shared.has_sockets_for_expected());
  shared.expect({});
  EXPECT_EQ(let_in(shared, 0), 80u);
}

TEST(Newcomers, HaveNoLimitWhereNoneIsSet) {
  Shared shared;
  shared.sockets = shared.connections = 1'000'000;
  EXPECT_FALSE(shared.is_full());
  EXPECT_TRUE(shared.has_socket_for_server());
  EXPECT_TRUE(shared.has_sockets_for_expected());
  EXPECT_FALSE(shared.has_few_sockets_left());
}

}  // namespace
}  // namespace baton::proxy
