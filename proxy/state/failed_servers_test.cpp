#include "proxy/state/failed_servers.hpp"

#include <gtest/gtest.h>

namespace baton::state {
namespace {

SocketAddress server(std::uint8_t last) {
  SocketAddress address;
  address.family = Family::ipv4;
  address.port = 80;
  address.ip = {192, 0, 2, last};
  return address;
}

TEST(FailedServers, AreEachThereOnceAndTheLastOneIsAtTheEnd) {
  Exchange exchange;
  EXPECT_FALSE(has_failed(exchange));
  EXPECT_EQ(place_among_failed(exchange, server(1)), 0U);
  for (const std::uint8_t failed : {1, 2, 3, 1}) note_failed(exchange, server(failed));
  EXPECT_TRUE(has_failed(exchange));
  EXPECT_EQ(place_among_failed(exchange, server(2)), 1U);
  EXPECT_EQ(place_among_failed(exchange, server(3)), 2U);
  EXPECT_EQ(place_among_failed(exchange, server(1)), 3U);
  EXPECT_EQ(place_among_failed(exchange, server(11)), 0U) << "not its beginning either";
  EXPECT_EQ(place_among_failed(exchange, server(4)), 0U);
}

// A neighbour may have sent anything.
TEST(FailedServers, OfAnotherProcessMayBeAnyText) {
  Exchange exchange;
  exchange.extras.emplace().failed = "\n\n192.0.2.1:80";
  EXPECT_EQ(place_among_failed(exchange, server(1)), 0U);
  note_failed(exchange, server(1));
  EXPECT_EQ(place_among_failed(exchange, server(1)), 3U);
}

}  // namespace
}  // namespace baton::state
