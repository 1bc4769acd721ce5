// Handshakes in memory with an SSL that OpenSSL keeps, and the bytes that follow them.
#include "proxy/tls/handshake.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "proxy/tls/self_test.hpp"
#include "proxy/tls/testing/leg.hpp"

namespace baton::tls {
namespace {

using test::Ours;
using test::Peer;

const test::Issued& identity(const Suite& suite) {
  static const test::Issued ecdsa = test::issue({.common_name = "a.example", .names = "DNS:a.example"}, &test::authority());
  static const test::Issued rsa =
      test::issue({.common_name = "a.example", .names = "DNS:a.example", .key = test::KeyType::rsa}, &test::authority());
  return suite.name.find("RSA") != std::string_view::npos ? rsa : ecdsa;
}

void allow_only(SSL_CTX* context, const Suite& suite) {
  const std::string name(suite.name);
  SSL_CTX_set_min_proto_version(context, suite.version);
  SSL_CTX_set_max_proto_version(context, suite.version);
  suite.version == tls13 ? SSL_CTX_set_ciphersuites(context, name.c_str()) : SSL_CTX_set_cipher_list(context, name.c_str());
}

// A context of ours and one of theirs that can agree on one suite only.
struct Sides {
  Suite suite;
  bool is_client;
  SslCtxPtr ours;
  SslCtxPtr theirs;

  Sides(const Suite& which, bool we_are_client) : suite(which), is_client(we_are_client) {
    static const auto failures = run_self_test();
    EXPECT_TRUE(failures.empty());
    ours = make_context(is_client ? TLS_client_method() : TLS_server_method(), config::TlsMinimum::tls12);
    theirs = test::context_of(is_client ? TLS_server_method() : TLS_client_method());
    allow_only(ours.get(), suite);
    allow_only(theirs.get(), suite);
    test::identify(server(), identity(suite));
    SSL_CTX_set_session_id_context(server(), reinterpret_cast<const unsigned char*>("test"), 4);
    if (is_client) SSL_CTX_set_session_cache_mode(ours.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  }
  SSL_CTX* server() const { return is_client ? theirs.get() : ours.get(); }
  SSL_CTX* client() const { return is_client ? ours.get() : theirs.get(); }
};

const Suite& suite_of(std::uint16_t id) {
  return *std::ranges::find_if(suites(), [&](const Suite& suite) { return suite.id == id; });
}
const Suite& suite_with_aes13() { return suite_of(0x1301); }
const Suite& suite_with_aes12() { return suite_of(0xC02B); }

std::string random_text(std::mt19937& random, std::size_t bytes_max) {
  std::string text(1 + random() % bytes_max, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// ── For each suite in both roles ──────────────────────────────────────────────────────────────────────────────────

class EachSuite : public testing::TestWithParam<std::tuple<Suite, bool>> {
 protected:
  Sides sides{std::get<0>(GetParam()), std::get<1>(GetParam())};
};

TEST_P(EachSuite, HundredsOfRecordsPassBothWaysWithKeyUpdatesAndMovesInBetween) {
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  test::shake_hands(ours, peer);
  ASSERT_TRUE(ours.is_done()) << ours.handshake.failure() << peer.failure();
  ASSERT_EQ(ours.tls().stage, state::TlsStage::records);
  EXPECT_EQ(ours.tls().version, sides.suite.version);
  EXPECT_EQ(ours.tls().suite, sides.suite.id);
  EXPECT_EQ(ours.tls().is_client, sides.is_client);
  EXPECT_EQ(ours.tls().fragment_bytes, 16384) << "nobody asked for shorter records";
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    if (sides.suite.version == tls13 && round % 7 == 3) peer.update_keys(round % 2 == 0);
    const std::string to_us = random_text(random, 20'000);
    peer.write(to_us);
    ours.put(peer.take());
    ASSERT_EQ(ours.open(), to_us) << "round " << round << ": " << (ours.records ? ours.records->failure() : "");
    const std::string to_them = random_text(random, 20'000);
    peer.put(ours.seal(to_them));
    ASSERT_EQ(peer.read(), to_them) << "round " << round << ": " << peer.failure();
    if (round % 50 == 20) ours.move();
  }
}

TEST_P(EachSuite, RecordsMayComeOneByteAtATime) {
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  test::shake_hands(ours, peer, 1);
  ASSERT_TRUE(ours.is_done()) << ours.handshake.failure() << peer.failure();
  EXPECT_TRUE(test::understand(ours, peer));
}

TEST_P(EachSuite, WhatComesWithTheLastFlightIsLeftForTheRecordLayer) {
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  bool said = false;
  for (int flight = 0; flight < 4 && !ours.is_done(); ++flight) {
    ours.shake();
    peer.put(ours.take());
    std::size_t bytes = 0;
    if (sides.is_client && sides.suite.version == tls13) {       // the server speaks before the client's Finished
      char nothing;
      SSL_read_early_data(peer.ssl(), &nothing, 1, &bytes);
      said = said || SSL_write_early_data(peer.ssl(), "at once", 7, &bytes) == 1;
    } else if (peer.shake()) {
      peer.write("at once");
      said = true;
    }
    ours.put(peer.take());
    ours.shake();
  }
  ASSERT_TRUE(ours.is_done());
  peer.put(ours.take());
  if (!said && peer.shake()) {         // TLS 1.2: the server's Finished was the last
    peer.write("at once");
    ours.put(peer.take());
  }
  EXPECT_EQ(ours.open(), "at once");
}

TEST_P(EachSuite, ASessionIsResumed) {
  test::Sessions sessions;
  SessionPtr session;
  for (const bool again : {false, true}) {
    Ours ours(sides.ours.get());
    Peer peer(sides.theirs.get());
    ours.handshake.set_sessions(&sessions);
    if (again && sides.is_client) {
      ASSERT_FALSE(sessions.kept.empty());
      ours.handshake.resume(sessions.kept.back().get());
    }
    if (again && !sides.is_client) SSL_set_session(peer.ssl(), session.get());
    test::shake_hands(ours, peer);
    ASSERT_TRUE(ours.is_done()) << ours.handshake.failure() << peer.failure();
    EXPECT_EQ(ours.tls().facts.resumed, again);
    ASSERT_TRUE(test::understand(ours, peer));
    ours.move();
    EXPECT_TRUE(test::understand(ours, peer));
    session.reset(SSL_get1_session(peer.ssl()));
  }
}

TEST_P(EachSuite, AClientsCertificateIsVerifiedAndItsSubjectKept) {
  static const test::Issued client = test::issue({.common_name = "bob"}, &test::authority());
  test::trust(sides.server(), test::authority(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
  test::identify(sides.client(), client);
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  test::shake_hands(ours, peer);
  ASSERT_TRUE(ours.is_done()) << ours.handshake.failure() << peer.failure();
  EXPECT_EQ(ours.tls().facts.client_subject, sides.is_client ? "" : "CN=bob");
  EXPECT_TRUE(test::understand(ours, peer));
}

INSTANTIATE_TEST_SUITE_P(Handshake, EachSuite,
                         testing::Combine(testing::ValuesIn(suites().begin(), suites().end()), testing::Bool()),
                         [](const auto& from) {
                           std::string name(std::get<0>(from.param).name);
                           std::ranges::replace(name, '-', '_');
                           return name + (std::get<1>(from.param) ? "_client" : "_server");
                         });

// ── What only one version has ─────────────────────────────────────────────────────────────────────────────────────

class EachRole : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Handshake, EachRole, testing::Bool(),
                         [](const auto& from) { return from.param ? "client" : "server"; });

TEST_P(EachRole, AHelloRetryRequestChangesNothing) {
  const Sides sides(suite_with_aes13(), GetParam());
  test::allow_groups(sides.client(), "X25519:P-384");
  test::allow_groups(sides.server(), "P-384");
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  constexpr std::string_view retry = "\xCF\x21\xAD\x74\xE5\x9A\x61\x11";        // RFC 8446 §4.1.3
  if (!sides.is_client) {
    peer.shake();
    ours.put(peer.take());
    ours.shake();
    const std::string answer = ours.take();
    ASSERT_NE(answer.find(retry), std::string::npos) << "there was none";
    peer.put(answer);
  } else {
    ours.shake();
    peer.put(ours.take());
    peer.shake();
    const std::string answer = peer.take();
    ASSERT_NE(answer.find(retry), std::string::npos) << "there was none";
    ours.put(answer);
  }
  test::shake_hands(ours, peer);
  ASSERT_TRUE(ours.is_done()) << ours.handshake.failure() << peer.failure();
  for (int round = 0; round < 20; ++round) ASSERT_TRUE(test::understand(ours, peer));
}

TEST_P(EachRole, OurExplicitNoncesGoOnAfterOpenSslsAndNoneComesTwice) {
  const Sides sides(suite_with_aes12(), GetParam());
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  std::string ours_sent;
  for (int flight = 0; flight < 4; ++flight) {
    ours.shake();
    const std::string bytes = ours.take();
    ours_sent += bytes;
    peer.put(bytes);
    peer.shake();
    ours.put(peer.take());
  }
  ASSERT_TRUE(ours.is_done());
  for (int round = 0; round < 10; ++round) ours_sent += ours.seal("words");
  std::vector<std::uint64_t> nonces;
  bool sealed = false;
  for (std::string_view rest = ours_sent; !rest.empty();) {
    const std::size_t bytes = static_cast<unsigned char>(rest[3]) * 256U + static_cast<unsigned char>(rest[4]);
    if (sealed) {
      nonces.push_back(0);
      for (const char c : rest.substr(5, 8)) nonces.back() = nonces.back() << 8 | static_cast<unsigned char>(c);
    }
    sealed = sealed || rest[0] == 20;
    rest.remove_prefix(5 + bytes);
  }
  ASSERT_EQ(nonces.size(), 11U) << "Finished, and ours";
  for (std::size_t i = 1; i < nonces.size(); ++i) EXPECT_EQ(nonces[i], nonces[0] + i);
}

TEST(Handshake, EarlyDataIsSkippedAndTheClientToldSo) {
  const Sides sides(suite_with_aes13(), false);
  SessionPtr session;
  {
    Ours ours(sides.ours.get());
    Peer peer(sides.theirs.get());
    test::shake_hands(ours, peer);
    ASSERT_TRUE(test::understand(ours, peer));
    session.reset(SSL_get1_session(peer.ssl()));
  }
  SSL_SESSION_set_max_early_data(session.get(), 16'384);         // we never said so
  Ours ours(sides.ours.get());
  Peer peer(sides.theirs.get());
  SSL_set_session(peer.ssl(), session.get());
  std::size_t written = 0;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(SSL_write_early_data(peer.ssl(), "too early", 9, &written), 1);
  test::shake_hands(ours, peer);
  ASSERT_TRUE(ours.is_done()) << ours.handshake.failure();
  EXPECT_EQ(SSL_get_early_data_status(peer.ssl()), SSL_EARLY_DATA_REJECTED);
  EXPECT_TRUE(ours.tls().facts.resumed);
  EXPECT_EQ(ours.open(), "");
  EXPECT_TRUE(test::understand(ours, peer));
}

TEST(Handshake, RecordsAreAsShortAsTheClientAsked) {
  for (const Suite* suite : {&suite_with_aes12(), &suite_with_aes13()}) {
    const Sides sides(*suite, false);
    Ours ours(sides.ours.get());
    Peer peer(sides.theirs.get());
    SSL_set_tlsext_max_fragment_length(peer.ssl(), TLSEXT_max_fragment_length_1024);
    test::shake_hands(ours, peer);
    ASSERT_TRUE(ours.is_done()) << ours.handshake.failure();
    EXPECT_EQ(ours.tls().fragment_bytes, 1024) << suite->name;
    EXPECT_TRUE(test::understand(ours, peer, std::string(5'000, 'x')));
  }
}

// ── Failures ──────────────────────────────────────────────────────────────────────────────────────────────────────

struct Failed {
  std::string ours;
  std::string theirs;
};

Failed fail_with(SslPtr ssl, SSL_CTX* theirs) {
  Ours ours(std::move(ssl));
  Peer peer(theirs);
  test::shake_hands(ours, peer);
  EXPECT_NE(ours.progress, Handshake::Progress::waiting) << "neither done nor failed";
  (void)peer.read();                   // an alert after its own handshake
  return {ours.handshake.failure(), peer.failure()};
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(HandshakeFailures, AServersCertificateThatIsNotGoodIsRefusedByReason) {
  static const test::Issued stranger = test::issue({.common_name = "Stranger", .is_authority = true});
  const struct {
    test::Issued certificate;
    std::string ours;
    std::string theirs;
  } cases[] = {
      {test::issue({.names = "DNS:a.example", .from_s = -7200, .until_s = -3600}, &test::authority()), "expired", "expired"},
      {test::issue({.names = "DNS:a.example"}, &stranger), "issuer", "unknown ca"},
      {test::issue({.names = "DNS:b.example"}, &test::authority()), "hostname mismatch", "certificate"},
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const auto& one : cases) {
      const SslCtxPtr ours = make_context(TLS_client_method(), config::TlsMinimum::tls12);
      const SslCtxPtr theirs = test::context_of(TLS_server_method(), version);
      test::identify(theirs.get(), one.certificate);
      test::trust(ours.get(), test::authority());
      SslPtr ssl(SSL_new(ours.get()));
      SSL_set1_host(ssl.get(), "a.example");
      const Failed failed = fail_with(std::move(ssl), theirs.get());
      EXPECT_HAS(failed.ours, one.ours);
      EXPECT_HAS(failed.theirs, one.theirs);
    }
  }
}

TEST(HandshakeFailures, AServerSaysWhatItDoesNotShareWithTheClient) {
  const auto fails = [](auto prepare_ours, auto prepare_theirs) {
    const SslCtxPtr ours = make_context(TLS_server_method(), config::TlsMinimum::tls12);
    const SslCtxPtr theirs = test::context_of(TLS_client_method());
    test::identify(ours.get(), identity(suite_with_aes13()));
    prepare_ours(ours.get());
    prepare_theirs(theirs.get());
    return fail_with(SslPtr(SSL_new(ours.get())), theirs.get());
  };
  const auto nothing = [](SSL_CTX*) {};

  const Failed version = fails([](SSL_CTX* ours) { SSL_CTX_set_min_proto_version(ours, TLS1_3_VERSION); },
                               [](SSL_CTX* theirs) { SSL_CTX_set_max_proto_version(theirs, TLS1_2_VERSION); });
  EXPECT_HAS(version.ours, "unsupported protocol");
  EXPECT_HAS(version.theirs, "protocol version");

  const Failed cipher = fails(nothing, [](SSL_CTX* theirs) {
    SSL_CTX_set_max_proto_version(theirs, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(theirs, "AES128-SHA256");
  });
  EXPECT_HAS(cipher.ours, "no shared cipher");
  EXPECT_HAS(cipher.theirs, "handshake failure");

  for (const int most : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Failed missing = fails(
        [](SSL_CTX* ours) {
          test::trust(ours, test::authority(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
        },
        [&](SSL_CTX* theirs) { SSL_CTX_set_max_proto_version(theirs, most); });
    EXPECT_HAS(missing.ours, "peer did not return a certificate");
    EXPECT_HAS(missing.theirs, most == TLS1_2_VERSION ? "handshake failure" : "certificate required");
  }
}

TEST(HandshakeFailures, WhatIsNoTlsIsAnsweredWithAnAlert) {
  for (const std::string_view garbage : {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x00\x01x", "\x15\x03\x01\x00\x02\x02\x28",
                                         "\x80\x2e\x01\x03\x03 and so on, for as long as such a thing has to be at least"}) {
    const SslCtxPtr context = make_context(TLS_server_method(), config::TlsMinimum::tls12);
    Ours ours(context.get());
    ours.put(garbage);
    ours.put(std::string(100, 'x'));
    ours.shake();
    EXPECT_EQ(ours.progress, Handshake::Progress::failed) << garbage;
    EXPECT_FALSE(ours.handshake.failure().empty());
  }
}

TEST(HandshakeFailures, AClientHearsWhyItsServerRefuses) {
  const SslCtxPtr ours = make_context(TLS_client_method(), config::TlsMinimum::tls13);
  const SslCtxPtr theirs = test::context_of(TLS_server_method(), TLS1_2_VERSION);
  test::identify(theirs.get(), identity(suite_with_aes13()));
  const Failed failed = fail_with(SslPtr(SSL_new(ours.get())), theirs.get());
  EXPECT_HAS(failed.ours, "alert protocol version");
}

}  // namespace
}  // namespace baton::tls
