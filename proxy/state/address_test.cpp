#include "proxy/state/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string>

namespace baton::state {
namespace {

SocketAddress ip(Family family, const char* text, std::uint16_t port) {
  SocketAddress address;
  address.family = family;
  address.port = port;
  EXPECT_EQ(inet_pton(family == Family::ipv4 ? AF_INET : AF_INET6, text, address.ip.data()), 1);
  return address;
}

SocketAddress unix_path(std::string path) {
  SocketAddress address;
  address.family = Family::unix_path;
  address.path = std::move(path);
  return address;
}

SocketAddress through_the_kernels_form(const SocketAddress& address) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  return SocketAddress::from_sockaddr(storage, length);
}

TEST(SocketAddress, IsShownAsPeopleWriteIt) {
  EXPECT_EQ(ip(Family::ipv4, "192.0.2.1", 80).text(), "192.0.2.1:80");
  EXPECT_EQ(ip(Family::ipv6, "2001:db8::1", 80).text(), "[2001:db8::1]:80");
  EXPECT_EQ(ip(Family::ipv6, "2001:db8::1", 80).host_text(), "2001:db8::1");
  EXPECT_EQ(unix_path("/run/app.sock").text(), "unix:/run/app.sock");
  EXPECT_EQ(unix_path("").text(), "unix:");
  EXPECT_EQ(SocketAddress{}.text(), "unknown");
}

TEST(SocketAddress, ShowsAnIPv4ClientOfAnIPv6SocketAsIPv4) {
  EXPECT_EQ(ip(Family::ipv6, "::ffff:192.0.2.1", 80).host_text(), "192.0.2.1");
  EXPECT_EQ(ip(Family::ipv6, "2001:db8::1", 80).node_text(), "2001:db8::1");
  EXPECT_EQ((SocketAddress{.family = Family::unix_path, .path = "/a\r\nX: 1"}.node_text()), "unknown");
  EXPECT_EQ(SocketAddress{}.node_text(), "unknown");
  EXPECT_EQ(ip(Family::ipv6, "::ffff:192.0.2.1", 80).text(), "192.0.2.1:80");
}

TEST(SocketAddress, IsTheSameAfterTheKernelsForm) {
  SocketAddress link_local = ip(Family::ipv6, "fe80::1", 443);
  link_local.scope = 3;
  for (const SocketAddress& address : {ip(Family::ipv4, "192.0.2.1", 65535), ip(Family::ipv6, "2001:db8::1", 1),
                                       link_local, unix_path("/run/app.sock"), unix_path(std::string(107, 'p'))}) {
    EXPECT_EQ(through_the_kernels_form(address), address) << address.text();
  }
  EXPECT_EQ(through_the_kernels_form(SocketAddress{}), SocketAddress{});
}

TEST(SocketAddress, CutsAPathThatTheKernelCannotTake) {
  EXPECT_EQ(through_the_kernels_form(unix_path(std::string(500, 'p'))).path, std::string(107, 'p'));
}

TEST(SocketAddress, ReadsAnUnnamedUnixClient) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  const SocketAddress address = SocketAddress::from_sockaddr(storage, offsetof(sockaddr_un, sun_path));
  EXPECT_EQ(address, unix_path(""));
}

}  // namespace
}  // namespace baton::state
