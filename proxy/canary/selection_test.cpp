#include "proxy/canary/selection.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>

#include <set>

#include "proxy/rates/client_key.hpp"

namespace baton::canary {
namespace {

state::SocketAddress address_of(const std::string& host) {
  sockaddr_storage storage{};
  auto& in = reinterpret_cast<sockaddr_in&>(storage);
  in.sin_family = AF_INET;
  ::inet_pton(AF_INET, host.c_str(), &in.sin_addr);
  return state::SocketAddress::from_sockaddr(storage, sizeof in);
}

state::ConnectionState connection(const std::string& address, std::uint64_t id) {
  state::ConnectionState state;
  state.id = id;
  state.client_address = address_of(address);
  return state;
}

std::string key_of(const std::string& address) {
  return std::string(rates::ClientKey(address_of(address)).bytes());
}

state::CanaryClients clients(char key, std::uint16_t share) {
  return {.key = std::string(16, key), .share = share, .divided = {}};
}

TEST(Selection, KeepsAClientOnOneSideWhateverItsConnections) {
  const Selection selection(clients('a', 5'000));
  std::set<bool> sides;
  for (int client = 0; client < 40; ++client) {
    const std::string host = "10.0.0." + std::to_string(client);
    const std::uint64_t first = selection.client_of(connection(host, 1), false);
    for (std::uint64_t i = 2; i < 10; ++i) {
      EXPECT_EQ(selection.client_of(connection(host, i), false), first);
    }
    sides.insert(selection.picks(first));
  }
  EXPECT_EQ(sides.size(), 2U);
}

TEST(Selection, TakesItsShare) {
  const Selection selection(clients('b', 500));
  int picked = 0;
  constexpr int all = 20'000;
  for (int i = 0; i < all; ++i) {
    const std::string host = "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    picked += selection.picks(selection.client_of(connection(host, 1), false)) ? 1 : 0;
  }
  EXPECT_GT(picked, all / 25);
  EXPECT_LT(picked, all / 16);
}

TEST(Selection, IsAnotherWithAnotherKey) {
  const Selection one(clients('a', 5'000));
  const Selection other(clients('b', 5'000));
  const auto client = connection("10.0.0.1", 1);
  EXPECT_NE(one.client_of(client, false), other.client_of(client, false));
}

TEST(Selection, DividesWhatStandsForManyByConnection) {
  state::CanaryClients terms = clients('a', 5'000);
  terms.divided = {key_of("10.0.0.1")};
  const Selection selection(terms);
  const auto differ = [&](const std::string& address, bool is_trusted_proxy) {
    return selection.client_of(connection(address, 1), is_trusted_proxy) !=
           selection.client_of(connection(address, 2), is_trusted_proxy);
  };
  EXPECT_TRUE(differ("10.0.0.1", false));
  EXPECT_FALSE(differ("10.0.0.2", false));
  EXPECT_TRUE(differ("10.0.0.2", true)) << "a trusted proxy";
  state::ConnectionState local;
  local.id = 1;
  state::ConnectionState another;
  another.id = 2;
  EXPECT_NE(selection.client_of(local, false), selection.client_of(another, false)) << "of a Unix socket";
}

TEST(SharedAddresses, HaveMoreThanAQuarterOfAllConnections) {
  EXPECT_THAT(shared_addresses({}), testing::IsEmpty());
  EXPECT_THAT(shared_addresses({{"proxy", 30}, {"a", 30}, {"b", 1}}), testing::UnorderedElementsAre("proxy", "a"));
  EXPECT_THAT(shared_addresses({{"a", 25}, {"b", 25}, {"c", 25}, {"d", 25}}), testing::IsEmpty());
  EXPECT_THAT(shared_addresses({{"a", 7}}), testing::IsEmpty()) << "so few may be one client's";
  EXPECT_THAT(shared_addresses({{"a", 8}}), testing::ElementsAre("a"));
}

}  // namespace
}  // namespace baton::canary
