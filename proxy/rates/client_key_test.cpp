#include "proxy/rates/client_key.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace baton::rates {
namespace {

state::SocketAddress address(const std::string& text) {
  state::SocketAddress address;
  address.family = text.contains(':') ? state::Family::ipv6 : state::Family::ipv4;
  const int family = address.family == state::Family::ipv6 ? AF_INET6 : AF_INET;
  EXPECT_EQ(::inet_pton(family, text.c_str(), address.ip.data()), 1) << text;
  return address;
}

std::string key_of(const state::SocketAddress& client) {
  return std::string(ClientKey(client).bytes());
}
std::string key_of(const std::string& text) {
  return key_of(address(text));
}

TEST(ClientKey, IsAnAddressWithoutItsPort) {
  state::SocketAddress client = address("192.0.2.1");
  const std::string key = key_of(client);
  client.port = 80;
  EXPECT_EQ(key_of(client), key);
  EXPECT_NE(key_of("192.0.2.2"), key);
}

TEST(ClientKey, IsANetworkOfIPv6) {
  EXPECT_EQ(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1"));
}

TEST(ClientKey, OfAMappedAddressIsThatOfTheIPv4One) {
  EXPECT_EQ(key_of("::ffff:192.0.2.1"), key_of("192.0.2.1"));
  EXPECT_NE(key_of("::ffff:192.0.2.1"), key_of("::ffff:192.0.2.2"));
}

TEST(ClientKey, IsOneForAllWithoutAnAddress) {
  state::SocketAddress one;
  one.family = state::Family::unix_path;
  state::SocketAddress other = one;
  other.path = "/run/other";
  EXPECT_EQ(key_of(one), key_of(other)) << "a client chooses its path";
  EXPECT_NE(key_of(one), key_of(state::SocketAddress{}));
}

}  // namespace
}  // namespace baton::rates
