#include "config/network.hpp"

#include <gtest/gtest.h>

namespace baton::config {
namespace {

std::string text_of(std::string_view text) {
  const auto network = parse_network(text);
  return network ? network->text() : network.error();
}

TEST(Network, IsWrittenInItsShortestForm) {
  EXPECT_EQ(text_of("10.0.0.0/8"), "10.0.0.0/8");
  EXPECT_EQ(text_of("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(text_of("192.0.2.1/32"), "192.0.2.1");
  EXPECT_EQ(text_of("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(text_of("2001:DB8:0::/32"), "2001:db8::/32");
  EXPECT_EQ(text_of("::/0"), "::/0");
  EXPECT_EQ(text_of("::1"), "::1");
  EXPECT_EQ(text_of("::ffff:10.0.0.0/104"), "10.0.0.0/8") << "an IPv4-mapped address is IPv4";
}

TEST(Network, EndsWithItsLastAddress) {
  const auto last = [](std::string_view text) { return Network{.first = parse_network(text)->last()}.text(); };
  EXPECT_EQ(last("10.0.0.0/8"), "10.255.255.255");
  EXPECT_EQ(last("10.0.0.0/9"), "10.127.255.255");
  EXPECT_EQ(last("10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(last("2001:db8::/33"), "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(last("::/0"), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

TEST(Network, RefusesWhatIsNone) {
  for (const char* text : {"", "/8", "10.0.0/8", "10.0.0.0.0/8", "localhost", "[::1]", "fe80::1%eth0", "010.0.0.1"}) {
    EXPECT_NE(text_of(text).find("is not an IP address or a range such as"), std::string::npos) << text;
  }
  for (const char* text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0"}) {
    EXPECT_NE(text_of(text).find("expected a prefix length from 0 to 32"), std::string::npos) << text;
  }
  EXPECT_NE(text_of("::/129").find("from 0 to 128"), std::string::npos);
  EXPECT_EQ(text_of("10.1.2.3/8"),
            "`10.1.2.3/8` has bits after its prefix; the range is `10.0.0.0/8`, the address alone is `10.1.2.3`");
}

}  // namespace
}  // namespace baton::config
