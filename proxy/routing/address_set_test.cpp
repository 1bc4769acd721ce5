#include "proxy/routing/address_set.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <initializer_list>

namespace baton::routing {
namespace {

AddressSet set_of(std::initializer_list<const char*> texts) {
  std::vector<config::Network> networks;
  for (const char* text : texts) networks.push_back(config::parse_network(text).value());
  return AddressSet(networks);
}

state::SocketAddress address(const char* text) {
  state::SocketAddress address;
  address.family = ::inet_pton(AF_INET, text, address.ip.data()) == 1 ? state::Family::ipv4 : state::Family::ipv6;
  if (address.family == state::Family::ipv6) ::inet_pton(AF_INET6, text, address.ip.data());
  return address;
}

TEST(AddressSet, ContainsWhatLiesWithinOneOfItsRanges) {
  const AddressSet set = set_of({"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"});
  for (const char* text :
       {"10.0.0.0", "10.255.255.255", "192.0.2.7", "2001:db8::", "2001:db8:ffff::1", "::ffff:10.1.1.1"}) {
    EXPECT_TRUE(set.contains(address(text))) << text;
  }
  for (const char* text :
       {"9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.8", "2001:db7:ffff::", "2001:db9::", "::1"}) {
    EXPECT_FALSE(set.contains(address(text))) << text;
  }
}

TEST(AddressSet, RangesMayLieWithinOthers) {
  const AddressSet set = set_of({"10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8", "10.200.0.1", "11.0.0.0/8"});
  for (const char* text : {"10.0.0.1", "10.1.2.3", "10.2.0.0", "10.200.0.2", "10.255.0.0", "11.1.1.1"}) {
    EXPECT_TRUE(set.contains(address(text))) << text;
  }
  EXPECT_FALSE(set.contains(address("12.0.0.0")));
}

TEST(AddressSet, MayContainAllAddressesOfOneFamily) {
  EXPECT_TRUE(set_of({"0.0.0.0/0"}).contains(address("255.1.1.1")));
  EXPECT_FALSE(set_of({"0.0.0.0/0"}).contains(address("2001:db8::1")));
  EXPECT_TRUE(set_of({"::/0"}).contains(address("1.2.3.4")));
}

TEST(AddressSet, ContainsNoUnixClient) {
  EXPECT_FALSE(set_of({"::/0"}).contains(state::SocketAddress{.family = state::Family::unix_path}));
  EXPECT_FALSE(AddressSet().contains(address("10.0.0.1")));
}

}  // namespace
}  // namespace baton::routing
