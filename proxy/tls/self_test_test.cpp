// Suites that are proved, and suites that stay with OpenSSL.
#include "proxy/tls/self_test.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "proxy/tls/testing/leg.hpp"

namespace baton::tls {
namespace {

using test::Ours;
using test::Peer;

const test::Issued& identity_for(const Suite& suite) {
  static const test::Issued ecdsa = test::issue({.names = "DNS:a.example"});
  static const test::Issued rsa = test::issue({.names = "DNS:a.example", .key = test::KeyType::rsa});
  return suite.name.find("RSA") != std::string_view::npos ? rsa : ecdsa;
}

class SelfTest : public testing::TestWithParam<std::tuple<Suite, bool>> {
 protected:
  SelfTest() : suite(std::get<0>(GetParam())), is_client(std::get<1>(GetParam())) {
    run_self_test();
    ours = make_context(is_client ? TLS_client_method() : TLS_server_method(), config::TlsMinimum::tls12);
    theirs = test::context_of(is_client ? TLS_server_method() : TLS_client_method());
    for (SSL_CTX* context : {ours.get(), theirs.get()}) {
      SSL_CTX_set_max_proto_version(context, suite.version);
      SSL_CTX_set_cipher_list(context, "DEFAULT");
      const std::string name(suite.name);
      suite.version == tls13 ? SSL_CTX_set_ciphersuites(context, name.c_str()) : SSL_CTX_set_cipher_list(context, name.c_str());
    }
    test::identify(is_client ? theirs.get() : ours.get(), identity_for(suite));
  }
  ~SelfTest() override { run_self_test(); }

  Suite suite;
  bool is_client;
  SslCtxPtr ours;
  SslCtxPtr theirs;
};
INSTANTIATE_TEST_SUITE_P(TLS, SelfTest,
                         testing::Combine(testing::ValuesIn(suites().begin(), suites().end()), testing::Bool()),
                         [](const auto& from) {
                           std::string name(std::get<0>(from.param).name);
                           std::ranges::replace(name, '-', '_');
                           return name + (std::get<1>(from.param) ? "_client" : "_server");
                         });

TEST_P(SelfTest, PassesHereAndProvesTheSuite) {
  distrust(suite);
  ASSERT_FALSE(is_proved(suite));
  EXPECT_TRUE(run_self_test().empty());
  EXPECT_TRUE(is_proved(suite));
}

TEST_P(SelfTest, ASuiteThatIsNotProvedStaysWithOpenSslAndServesBothWays) {
  distrust(suite);
  Ours ours_end(ours.get());
  Peer peer(theirs.get());
  test::shake_hands(ours_end, peer);
  ASSERT_TRUE(ours_end.is_done()) << ours_end.handshake.failure() << peer.failure();
  ASSERT_EQ(ours_end.tls().stage, state::TlsStage::kept);
  ASSERT_EQ(ours_end.records, nullptr);
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    if (suite.version == tls13 && round % 5 == 2) peer.update_keys(round % 2 == 0);
    const std::string words(1 + random() % 40'000, static_cast<char>('a' + round % 26));
    ASSERT_TRUE(test::understand(ours_end, peer, words)) << "round " << round;
  }
  // The two directions end independently.
  ours_end.leg.write_ended = true;
  peer.put(ours_end.seal("the last"));
  EXPECT_EQ(peer.read(), "the last");
  EXPECT_TRUE(peer.saw_end());
  EXPECT_EQ(ours_end.tls().end, state::TlsEnd::notified);
  peer.write("heard");
  peer.end();
  ours_end.put(peer.take());
  EXPECT_EQ(ours_end.open(), "heard");
  EXPECT_TRUE(ours_end.leg.read_ended && ours_end.tls().close_received);
}

TEST_P(SelfTest, WhatOpenSslKeepsIsOpenedRecordByRecordAndNothingIsLeftInIt) {
  distrust(suite);
  Ours ours_end(ours.get());
  Peer peer(theirs.get());
  test::shake_hands(ours_end, peer);
  ASSERT_TRUE(ours_end.is_done());
  std::string words;
  for (int i = 0; words.size() < 100'000; ++i) words += std::to_string(i) + ",";
  peer.write(words);
  ours_end.put(peer.take());
  std::string got;
  while (!ours_end.tls().received.empty()) {
    ASSERT_EQ(ours_end.handshake.open(ours_end.leg, 10), Opened::some);
    EXPECT_LE(ours_end.leg.unread.size(), 16'384U + 10) << "a record more at most";
    got += ours_end.leg.unread.view();
    ours_end.leg.unread.clear();
  }
  EXPECT_EQ(got.size(), words.size()) << "the rest waits in OpenSSL, and no event tells of it";
  EXPECT_EQ(got, words);
}

TEST_P(SelfTest, WhatOpenSslKeepsFailsWithAnAlertOnWhatIsForged) {
  distrust(suite);
  Ours ours_end(ours.get());
  Peer peer(theirs.get());
  test::shake_hands(ours_end, peer);
  ASSERT_TRUE(test::understand(ours_end, peer));
  peer.write("words");
  std::string record = peer.take();
  record.back() = static_cast<char>(record.back() ^ 1);
  ours_end.put(record);
  EXPECT_EQ(ours_end.open(), "");
  EXPECT_EQ(ours_end.opened, Opened::failed);
  EXPECT_FALSE(ours_end.handshake.failure().empty());
  peer.put(ours_end.take());
  (void)peer.read();
  EXPECT_NE(peer.failure().find("alert bad record mac"), std::string::npos) << peer.failure();
}

TEST(SelfTestAtAReload, ASuiteThatFailedIsNeverTrustedMeanwhile) {
  // A suite is proved only once it has passed: connections are made while a reload tests it again.
  run_self_test();
  const Suite& suite = suites().front();
  distrust(suite);
  const SslCtxPtr server = make_context(TLS_server_method(), config::TlsMinimum::tls13);
  const SslCtxPtr client = test::context_of(TLS_client_method(), TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(client.get(), std::string(suite.name).c_str());
  test::identify(server.get(), identity_for(suite));
  // The self-test's own end is taken over, proved or not.
  Ours trial(server.get());
  trial.handshake.prove();
  Peer peer(client.get());
  test::shake_hands(trial, peer);
  EXPECT_EQ(trial.tls().stage, state::TlsStage::records);
  EXPECT_FALSE(is_proved(suite));
  run_self_test();
  EXPECT_TRUE(is_proved(suite));
}

}  // namespace
}  // namespace baton::tls
