#include "proxy/tls/suites.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/tls_names.hpp"

namespace baton::tls {
namespace {

std::vector<unsigned char> unhex_bytes(std::string_view text) {
  std::vector<unsigned char> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<unsigned char>(std::stoi(std::string{text.substr(i, 2)}, nullptr, 16)));
  }
  return bytes;
}

std::string hex(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

state::TlsSecrets secrets_of(std::string_view traffic) {
  state::TlsSecrets secrets;
  std::ranges::copy(unhex_bytes(traffic), secrets.traffic.begin());
  return secrets;
}

const Suite& suite(std::uint16_t version, std::uint16_t id) { return *find_suite(version, id); }

// Their names in a configuration are exactly those that can be chosen there.
TEST(Suites, AreThoseOfTheConfiguration) {
  const auto names_of = [](std::span<const config::TlsName> names) {
    std::set<std::string_view> result;
    for (const config::TlsName& one : names) result.insert(one.name);
    return result;
  };
  std::set<std::string_view> of_tls12;
  std::set<std::string_view> of_tls13;
  for (const Suite& one : suites()) (one.version == tls13 ? of_tls13 : of_tls12).insert(one.name);
  EXPECT_EQ(names_of(config::tls12_ciphers()), of_tls12);
  EXPECT_EQ(names_of(config::tls13_ciphersuites()), of_tls13);
}

TEST(Suites, AreFoundByVersionAndNumber) {
  std::set<std::string_view> names;
  for (const Suite& each : suites()) {
    EXPECT_EQ(find_suite(each.version, each.id), &each);
    EXPECT_EQ(find_suite(each.version == tls13 ? tls12 : tls13, each.id), nullptr);
    names.insert(each.name);
  }
  EXPECT_EQ(names.size(), 9U);
  EXPECT_EQ(find_suite(tls13, 0x1304), nullptr);
  EXPECT_EQ(find_suite(tls12, 0x009C), nullptr);        // without forward secrecy
  EXPECT_EQ(find_suite(0x0302, 0xC02F), nullptr);
}

// RFC 8448 §3.
TEST(KeySchedule, GivesTheKeysOfTheRecordedHandshake) {
  state::TlsSecrets client = secrets_of("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
  derive_keys(suite(tls13, 0x1301), client);
  EXPECT_EQ(hex({client.key.data(), 16}), "17422dda596ed5d9acd890e3c63f5051");
  EXPECT_EQ(hex(client.iv), "5b78923dee08579033e523d9");

  state::TlsSecrets server = secrets_of("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
  derive_keys(suite(tls13, 0x1301), server);
  EXPECT_EQ(hex({server.key.data(), 16}), "9f02283b6c9c07efc26bb9f2ac92e356");
  EXPECT_EQ(hex(server.iv), "cf782b88dd83549aadf1e984");
}

// RFC 8448 has no KeyUpdate. The secrets are from Botan's tests of the same handshake; keys and IVs were computed with
// HMAC in Python: key(t) = HMAC(t, 00 10 09 "tls13 key" 00 01), and so on.
TEST(KeySchedule, GoesOnFromTheRecordedHandshake) {
  state::TlsSecrets client = secrets_of("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
  update_keys(suite(tls13, 0x1301), client);
  EXPECT_EQ(hex({client.traffic.data(), 32}), "fcdfcc72725aaee48bf64e4fd8b749cdbdbab39d90da0b26e2245ca6ea167207");
  EXPECT_EQ(hex({client.key.data(), 16}), "3879d82f5f14056e623f2ce5bfc66fce");
  EXPECT_EQ(hex(client.iv), "5dfb2c5938c3379b6cc5d1f2");

  state::TlsSecrets server = secrets_of("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
  update_keys(suite(tls13, 0x1301), server);
  EXPECT_EQ(hex({server.traffic.data(), 32}), "51921b8aa3001976eb401d0a4319a8516416a6c56001a357e5d162031e84f916");
}

// Computed with HMAC-SHA-384 in Python, from the secret 000102…2f.
TEST(KeySchedule, UsesTheHashOfTheSuite) {
  const std::string traffic =
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
  state::TlsSecrets secrets = secrets_of(traffic);
  derive_keys(suite(tls13, 0x1302), secrets);
  EXPECT_EQ(hex(secrets.key), "6877d022f1c61d24ebb7487c16752d9a4798e40431c75b39320e537c90e23225");
  EXPECT_EQ(hex(secrets.iv), "42822531a0fe88648fc09e9f");
  update_keys(suite(tls13, 0x1302), secrets);
  EXPECT_EQ(hex(secrets.traffic), "401331b63e9d59f202e8f041042d9516f4cd7fa2e2ee14631d3b49fc340d7af37fc2c0c9f252d8036f81ec5b85cbe5db");
}

struct Block {
  std::uint16_t suite;
  std::string_view client_key, server_key, client_iv, server_iv;
};

// Computed with HMAC in Python (RFC 5246 §5 and §6.3): master secret 000102…2f, client random 32 times c1, server
// random 32 times 5e.
constexpr Block blocks[] = {
    {0xC02F, "cceb3e14d846a21dde9a42cbcbed13a6",
     "67078ba0dab8d1732a3cb4899a742466",
     "234f54ef",
     "0f9b87b1"},
    {0xC030, "2353183785767c3f69bccee8a7e1096d743385890510310e45418aef7b068d0a",
     "65de98dde3c3e08b909a2362c78202d4aa098f1f187f28110c070ece64b55788",
     "90a4f9ee",
     "23b57bae"},
    {0xCCA8, "cceb3e14d846a21dde9a42cbcbed13a667078ba0dab8d1732a3cb4899a742466",
     "234f54ef0f9b87b11b1ccae6ffacd12acf8a784b60a5d36b819d5bd840985f31",
     "28e699cf88370e8ba55f5462",
     "605891ade359c7caec46be58"},
};

TEST(KeySchedule, SharesOutTheKeyBlockOfTls12) {
  std::vector<unsigned char> master(48);
  for (std::size_t i = 0; i < master.size(); ++i) master[i] = static_cast<unsigned char>(i);
  const std::vector<unsigned char> client_random(32, 0xc1);
  const std::vector<unsigned char> server_random(32, 0x5e);
  for (const Block& block : blocks) {
    const Suite& which = suite(tls12, block.suite);
    for (const bool is_client : {false, true}) {
      state::Tls tls;
      tls.is_client = is_client;
      derive_keys_tls12(which, master, client_random, server_random, tls);
      const state::TlsSecrets& client = is_client ? tls.write.secrets : tls.read.secrets;
      const state::TlsSecrets& server = is_client ? tls.read.secrets : tls.write.secrets;
      const std::size_t iv_bytes = block.client_iv.size() / 2;
      EXPECT_EQ(hex({client.key.data(), which.key_bytes()}), block.client_key) << which.name;
      EXPECT_EQ(hex({server.key.data(), which.key_bytes()}), block.server_key) << which.name;
      EXPECT_EQ(hex({client.iv.data(), iv_bytes}), block.client_iv) << which.name;
      EXPECT_EQ(hex({server.iv.data(), iv_bytes}), block.server_iv) << which.name;
    }
  }
}

}  // namespace
}  // namespace baton::tls
