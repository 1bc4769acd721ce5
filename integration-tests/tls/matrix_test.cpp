// Each protocol and suite, in each state, over several upgrades: no client gets a wrong byte, a close or another
// connection.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "tls/lives.hpp"

namespace baton::harness {
namespace {

constexpr int upgrades = 11;

const TlsOptions combinations[] = {
    {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
    {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},  {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"}, {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256"},   {TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384"},
    {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305"},
};

class TlsMatrix : public testing::TestWithParam<TlsOptions> {
 protected:
  Settings settings() {
    Settings settings(origin.address());
    settings.tls = tls + ", alpn: [ h2, http/1.1 ]";
    settings.more_listeners =
        "  - { name: raw, bind: \"" + raw.text() + "\", protocol: tcp, upstream: web, tls: { " + tls + " } }\n";
    settings.handoff += ", finish_timeout: 50ms";  // so all of them move mid-stream
    settings.timeouts = "handshake: 10m";          // a ClientHello may take the whole run
    return settings;
  }

  TempDir directory;
  Authority authority{directory};
  const std::string tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + ", " +
                          authority.issue({"localhost"}, KeyType::rsa).yaml() + " ]";
  const Address raw = loopback(free_port());
  Origin origin;
  Baton baton{settings()};
};

TEST_P(TlsMatrix, EveryStateMovesAgainAndAgain) {
  auto lives = all_lives({baton.address(), raw, upgrades}, GetParam());
  const auto each = [&](int number, const auto& act) {
    for (auto& life : lives) {
      try {
        act(*life);
      } catch (const Failure& failure) {
        FAIL() << life->name() << ", before upgrade " << number + 1 << ": " << failure.what() << "\n" << baton.log();
      }
    }
  };
  const auto accepted = static_cast<std::int64_t>(lives.size());
  for (int number = 0; number < upgrades; ++number) {
    each(number, [&](Life& life) { life.step(number); });
    if (HasFatalFailure()) return;
    baton.upgrade();
    ASSERT_EQ(baton.number("last_upgrade.moved_total"), accepted) << "somebody stayed behind\n" << baton.log();
  }
  each(upgrades, [](Life& life) { life.finish(); });
  EXPECT_EQ(baton.number("accepted_total"), accepted);
}

// OpenSSL completes the handshake in the old process, which waits for it.
TEST_P(TlsMatrix, AHandshakeInTheMiddleIsFinishedAndThenMoves) {
  TlsClient idle(baton.address(), GetParam());
  TlsClient client(baton.address(), GetParam(), TlsClient::Handshake::later);
  client.send_raw(client.next_flight());
  client.take_flight();
  const std::string flight = client.next_flight();
  client.send_raw(std::string_view(flight).substr(0, flight.size() / 2));
  baton.begin_upgrade();
  EXPECT_EQ(idle.get("/bytes/3").body, pattern(3)) << "the others do not wait";
  client.send_raw(std::string_view(flight).substr(flight.size() / 2));
  client.shake_hands();
  EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
  baton.finish_upgrade();
  baton.upgrade();
  EXPECT_EQ(client.get("/bytes/20").body, pattern(20));
  EXPECT_EQ(idle.get("/bytes/3").body, pattern(3));
}

INSTANTIATE_TEST_SUITE_P(Suites, TlsMatrix, testing::ValuesIn(combinations), [](const auto& one) {
  std::string name = one.param.suite;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace baton::harness
