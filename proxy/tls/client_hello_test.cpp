// When a ClientHello is complete: until then a leg moves as bytes, so OpenSSL must not have been given any of it.
#include <gtest/gtest.h>

#include <string>

#include "proxy/tls/handshake.hpp"
#include "proxy/tls/testing/peer.hpp"

namespace baton::tls {
namespace {

bool is_whole(std::string_view received) { return Handshake::is_hello_whole(received); }

// A ClientHello as a client sends it, with a server name and ALPN.
std::string client_hello(int version) {
  const SslCtxPtr context = test::context_of(TLS_client_method(), version);
  test::Peer peer(context.get());
  SSL_ctrl(peer.ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>("a.example"));
  peer.shake();
  return peer.take();
}

std::string record(std::string_view fragment) {
  std::string record("\x16\x03\x01", 3);
  record += static_cast<char>(fragment.size() >> 8);
  record += static_cast<char>(fragment.size());
  return record.append(fragment);
}

// The same message in records of this many bytes.
std::string in_records(std::string_view hello, std::size_t bytes) {
  std::string all;
  for (std::string_view rest = hello.substr(5); !rest.empty(); rest.remove_prefix(std::min(bytes, rest.size()))) {
    all += record(rest.substr(0, bytes));
  }
  return all;
}

std::string message_head(std::uint8_t type, std::size_t length) {
  return {static_cast<char>(type), static_cast<char>(length >> 16), static_cast<char>(length >> 8),
          static_cast<char>(length)};
}

TEST(ClientHello, IsWholeWithItsLastByteAndNotBefore) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION, 0}) {
    const std::string hello = client_hello(version);
    ASSERT_GT(hello.size(), 100U);
    for (const std::size_t fragment : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{100}, hello.size()}) {
      const std::string sent = in_records(hello, fragment);
      for (std::size_t bytes = 0; bytes < sent.size(); ++bytes) {
        ASSERT_FALSE(is_whole(sent.substr(0, bytes))) << bytes << " of " << sent.size() << " in records of " << fragment;
      }
      EXPECT_TRUE(is_whole(sent));
      EXPECT_TRUE(is_whole(sent + "and more"));
    }
  }
}

TEST(ClientHello, WhatCanBeNoPartOfOneIsLeftToOpenSslAtOnce) {
  for (int first = 0; first < 256; ++first) {
    EXPECT_EQ(is_whole(std::string(1, static_cast<char>(first))), first != 22) << first;
    EXPECT_EQ(is_whole(std::string("\x16") + static_cast<char>(first)), first != 3) << first;
    EXPECT_EQ(is_whole(std::string("\x16\x03\x01\x00\x10", 5) + static_cast<char>(first)), first != 1) << first;
  }
  EXPECT_TRUE(is_whole(std::string("\x16\x03\x01\x00\x00", 5))) << "an empty record";
  EXPECT_FALSE(is_whole("\x16\x03\x01\x48\x00")) << "the longest record that there may be";
  EXPECT_TRUE(is_whole("\x16\x03\x01\x48\x01"));
  EXPECT_TRUE(is_whole(record("\x01") + "GET /")) << "in its second record";
}

TEST(ClientHello, OneThatIsTooLongIsNotWaitedFor) {
  const std::string within = record(message_head(1, 32 * 1024 - 4));
  EXPECT_FALSE(is_whole(within));
  EXPECT_TRUE(is_whole(record(message_head(1, 32 * 1024 - 3))));
  // In one-byte records it takes six times the room.
  std::string crumbs = in_records(within, 1);
  while (crumbs.size() <= 32 * 1024) {
    ASSERT_FALSE(is_whole(crumbs)) << crumbs.size();
    crumbs += record("x");
  }
  EXPECT_TRUE(is_whole(crumbs));
}

}  // namespace
}  // namespace baton::tls
