#include "config/claims.hpp"

#include <gtest/gtest.h>

#include "config/address.hpp"

namespace baton::config {
namespace {

Claim claim_of(const char* address, const char* who) {
  return {parse_address(address).value(), {}, who};
}

// Whether the two can be bound side by side; the order must not matter.
bool can_share(const char* one, const char* other) {
  const auto is_free = [](const char* first, const char* second) {
    Claims claims;
    EXPECT_EQ(claims.add(claim_of(first, "first")), nullptr);
    return claims.add(claim_of(second, "second")) == nullptr;
  };
  EXPECT_EQ(is_free(one, other), is_free(other, one)) << one << " and " << other;
  return is_free(one, other);
}

TEST(Claims, OneAddressIsBoundOnce) {
  EXPECT_FALSE(can_share("127.0.0.1:80", "127.0.0.1:80"));
  EXPECT_FALSE(can_share("[::1]:80", "[0:0:0:0:0:0:0:1]:80"));
  EXPECT_FALSE(can_share("[::ffff:127.0.0.1]:80", "127.0.0.1:80"));
  EXPECT_FALSE(can_share("Example.com:80", "example.com:80"));
  EXPECT_FALSE(can_share("localhost:80", "127.0.0.1:80"));
  EXPECT_FALSE(can_share("localhost:80", "[::1]:80"));
  EXPECT_FALSE(can_share("unix:/run/a", "unix:/run/./x/../a"));
}

TEST(Claims, AWildcardTakesThePortOfItsFamily) {
  EXPECT_FALSE(can_share("0.0.0.0:80", "127.0.0.1:80"));
  EXPECT_FALSE(can_share("0.0.0.0:80", "0.0.0.0:80"));
  EXPECT_FALSE(can_share("[::]:80", "[::1]:80"));
  EXPECT_FALSE(can_share("0.0.0.0:80", "example.com:80"));
  EXPECT_FALSE(can_share("[::]:80", "example.com:80"));
}

TEST(Claims, AnEmptyHostTakesThePortOfBothFamilies) {
  for (const char* other : {":80", "0.0.0.0:80", "[::]:80", "127.0.0.1:80", "[::1]:80", "example.com:80"}) {
    EXPECT_FALSE(can_share(":80", other)) << other;
  }
}

TEST(Claims, APortThatTheKernelChoosesIsFree) {
  EXPECT_TRUE(can_share(":0", ":0"));
  EXPECT_TRUE(can_share("127.0.0.1:0", "127.0.0.1:0"));
}

TEST(Claims, WhatTheKernelAllowsIsAllowed) {
  EXPECT_TRUE(can_share("0.0.0.0:80", "[::]:80"));
  EXPECT_TRUE(can_share("0.0.0.0:80", "[::1]:80"));
  EXPECT_TRUE(can_share("[::]:80", "127.0.0.1:80"));
  EXPECT_TRUE(can_share("127.0.0.1:80", "127.0.0.2:80"));
  EXPECT_TRUE(can_share(":80", ":81"));
  EXPECT_TRUE(can_share("a.example:80", "b.example:80"));
  EXPECT_TRUE(can_share("[fe80::1%eth0]:80", "[fe80::1%eth1]:80"));
  EXPECT_TRUE(can_share("unix:/run/a", "unix:/run/b"));
}

TEST(Claims, TellWhoWasThereFirst) {
  Claims claims;
  claims.add(claim_of("127.0.0.1:80", "first"));
  claims.add(claim_of("127.0.0.2:80", "second"));
  const Claim* rival = claims.add(claim_of("127.0.0.2:80", "third"));
  ASSERT_NE(rival, nullptr);
  EXPECT_EQ(rival->who, "second");
}

}  // namespace
}  // namespace baton::config
