// What a TLS listener negotiates with a client: certificate, protocol, application protocol, session.
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

constexpr int alert_handshake_failure = 40, alert_protocol_version = 70, alert_no_application_protocol = 120;

class Agreement : public testing::Test {
 protected:
  Settings settings(const std::string& tls) const {
    Settings settings(origin.address());
    settings.tls = tls;
    return settings;
  }
  std::string both_types() {
    return "certificates: [ " + authority.issue({"localhost"}).yaml() + ", " +
           authority.issue({"localhost"}, KeyType::rsa).yaml() + " ]";
  }
  // The handshake must fail; returns the server's alert.
  static std::optional<int> refusal_of(const Baton& baton, const TlsOptions& options) {
    TlsClient client(baton.address(), options, TlsClient::Handshake::later);
    client.send_raw(client.next_flight());
    return client.await_alert();
  }

  TempDir directory;
  Authority authority{directory};
  Origin origin;
};

TEST_F(Agreement, TheCertificateIsTheOneOfTheServerName) {
  Baton baton(settings("certificates: [ " + authority.issue({"default.test"}).yaml() + ", " +
                       authority.issue({"exact.wild.test", "also.test"}).yaml() + ", " +
                       authority.issue({"*.wild.test"}).yaml() + " ]"));
  const auto named = [&](const std::string& server_name) {
    return TlsClient(baton.address(), {.server_name = server_name}).server_common_name();
  };
  for (int upgrades = 0; upgrades < 2; ++upgrades) {
    EXPECT_EQ(named("default.test"), "default.test");
    EXPECT_EQ(named("exact.wild.test"), "exact.wild.test");
    EXPECT_EQ(named("ALSO.Test"), "exact.wild.test") << "names have no case";
    EXPECT_EQ(named("other.wild.test"), "*.wild.test");
    EXPECT_EQ(named("a.b.wild.test"), "default.test") << "a wildcard stands for one label";
    EXPECT_EQ(named("wild.test"), "default.test");
    EXPECT_EQ(named("unknown.test"), "default.test");
    EXPECT_EQ(named(""), "default.test");
    baton.upgrade();
  }
}

TEST_F(Agreement, AClientGetsTheTypeOfKeyThatItCanUse) {
  Baton baton(settings(both_types()));
  EXPECT_EQ(TlsClient(baton.address(), {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"}).server_key(), KeyType::ecdsa);
  EXPECT_EQ(TlsClient(baton.address(), {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256"}).server_key(), KeyType::rsa);
  for (const auto& [algorithms, type] :
       {std::pair{"ECDSA+SHA256", KeyType::ecdsa}, std::pair{"RSA-PSS+SHA256", KeyType::rsa}}) {
    TlsClient client(baton.address(), {TLS1_3_VERSION}, TlsClient::Handshake::later);
    SSL_set1_sigalgs_list(client.ssl(), const_cast<char*>(algorithms));
    client.shake_hands();
    EXPECT_EQ(client.server_key(), type);
  }
}

TEST_F(Agreement, OldProtocolsAndSuitesAreRefusedWithTheRightAlert) {
  Baton baton(settings(both_types()));
  EXPECT_EQ(refusal_of(baton, {TLS1_1_VERSION}), alert_protocol_version);
  EXPECT_EQ(refusal_of(baton, {TLS1_VERSION}), alert_protocol_version);
  EXPECT_EQ(refusal_of(baton, {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256"}), alert_handshake_failure);
  EXPECT_EQ(refusal_of(baton, {TLS1_2_VERSION, "AES128-GCM-SHA256"}), alert_handshake_failure) << "no forward secrecy";
  TlsClient good(baton.address(), {TLS1_2_VERSION});
  EXPECT_EQ(good.get("/bytes/9").body, pattern(9));
}

TEST_F(Agreement, MinVersionRefusesTls12) {
  Baton baton(settings(both_types() + ", min_version: \"1.3\""));
  EXPECT_EQ(refusal_of(baton, {TLS1_2_VERSION}), alert_protocol_version);
  TlsClient good(baton.address());
  EXPECT_EQ(good.get("/bytes/9").body, pattern(9));
}

TEST_F(Agreement, ApplicationProtocols) {
  const Address raw = loopback(free_port());
  Settings both = settings(both_types());
  both.more_listeners = "  - { name: raw, bind: \"" + raw.text() + "\", protocol: tcp, upstream: web, tls: { " +
                        both_types() + ", alpn: [ imap, pop3 ] } }\n";
  Baton baton(both);
  EXPECT_EQ(TlsClient(baton.address(), {.alpn = "http/1.1"}).alpn(), "http/1.1");
  TlsClient modest(baton.address(), {.alpn = "http/1.0"});
  EXPECT_EQ(modest.alpn(), "http/1.0");
  EXPECT_EQ(modest.get("/bytes/5").body, pattern(5));
  EXPECT_EQ(TlsClient(baton.address()).alpn(), "") << "who asks for nothing gets none";
  EXPECT_EQ(TlsClient(baton.address(), {.alpn = "h2"}).alpn(), "h2");
  EXPECT_EQ(refusal_of(baton, {.alpn = "spdy/3"}), alert_no_application_protocol);
  EXPECT_EQ(TlsClient(raw, {.alpn = "pop3"}).alpn(), "pop3");
}

class Resumption : public Agreement, public testing::WithParamInterface<int> {};

TEST_P(Resumption, GoesOnAfterUpgradesAndReloads) {
  Baton baton(settings(both_types()));
  TlsClient first(baton.address(), {GetParam()});
  EXPECT_EQ(first.get("/bytes/5").body, pattern(5));
  EXPECT_FALSE(first.resumed());
  for (int upgrades = 0; upgrades < 3; ++upgrades) {
    TlsClient later(baton.address(), {.version = GetParam(), .session = first.session().get()});
    EXPECT_TRUE(later.resumed()) << "after " << upgrades << " upgrades";
    EXPECT_EQ(later.get("/bytes/50000").body, pattern(50'000));
    baton.upgrade();
    EXPECT_EQ(later.get("/bytes/50000").body, pattern(50'000)) << "a resumed one moves, too";
  }
  baton.signal(SIGHUP);
  baton.await_log(std::regex("reload: done"));
  EXPECT_TRUE(TlsClient(baton.address(), {.version = GetParam(), .session = first.session().get()}).resumed());
}

// The same with OpenSSL's own client, its session in a file.
TEST_P(Resumption, OfOpenSslsClientGoesOn) {
  Baton baton(settings(both_types()));
  const auto visit = [&](const std::string& option) {
    Process client({.argv = {"openssl", "s_client", "-connect", baton.address().text(), "-ign_eof",
                             GetParam() == TLS1_3_VERSION ? "-tls1_3" : "-tls1_2", option, directory / "session"},
                    .has_input = true});
    client.type("GET /bytes/5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(client.await_exit(), (Ended{0, 0})) << client.err();
    client.await_end_of_output();
    EXPECT_NE(client.out().find(pattern(5)), std::string::npos);
    return client.out();
  };
  EXPECT_NE(visit("-sess_out").find("\nNew, TLSv1."), std::string::npos);
  baton.upgrade();
  EXPECT_NE(visit("-sess_in").find("\nReused, TLSv1."), std::string::npos);
  baton.upgrade();
  EXPECT_NE(visit("-sess_in").find("\nReused, TLSv1."), std::string::npos);
}

TEST_P(Resumption, IsOffWithoutTickets) {
  Baton baton(settings(both_types() + ", session_tickets: false"));
  TlsClient first(baton.address(), {GetParam()});
  EXPECT_EQ(first.get("/bytes/5").body, pattern(5));
  EXPECT_FALSE(TlsClient(baton.address(), {.version = GetParam(), .session = first.session().get()}).resumed());
}

INSTANTIATE_TEST_SUITE_P(Versions, Resumption, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& one) { return one.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

}  // namespace
}  // namespace baton::harness
