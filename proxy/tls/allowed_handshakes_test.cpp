// What the configuration allows in handshakes: versions, ciphers and curves.
#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

#include "config/tls_names.hpp"
#include "proxy/tls/self_test.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/tls/testing/leg.hpp"

namespace baton::tls {
namespace {

using test::Ours;
using test::Peer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class AllowedHandshakes : public testing::Test {
 protected:
  static void SetUpTestSuite() { EXPECT_TRUE(run_self_test().empty()); }

  AllowedHandshakes() {
    listener.certificates.push_back(files.write("some", test::issue({.names = "DNS:a.example"}, &test::authority())));
  }

  test::Files files;
  config::ListenerTls listener;
  TicketKeys tickets;
};

// The suite and group of a handshake with a client that allows only these; empty: any.
std::string agreed(const ServerContext& context, int version, const std::string& suite, std::string curve) {
  const SslCtxPtr theirs = test::context_of(TLS_client_method(), version);
  if (!suite.empty() && version == TLS1_3_VERSION) SSL_CTX_set_ciphersuites(theirs.get(), suite.c_str());
  if (!suite.empty() && version == TLS1_2_VERSION) SSL_CTX_set_cipher_list(theirs.get(), suite.c_str());
  if (!curve.empty()) SSL_CTX_set1_groups_list(theirs.get(), curve.data());
  Ours ours(context.get());
  Peer peer(theirs.get());
  test::shake_hands(ours, peer);
  if (!ours.is_done()) return "failed: " + ours.handshake.failure();
  EXPECT_TRUE(test::understand(ours, peer));
  return SSL_get_cipher_name(peer.ssl());
}

TEST_F(AllowedHandshakes, HandshakesUseOnlyWhatTheConfigurationAllows) {
  listener.ciphers = {"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"};
  listener.ciphersuites = {"TLS_AES_256_GCM_SHA384"};
  listener.curves = {"P-384", "X25519"};
  const ServerContext context(listener, "web", tickets);
  EXPECT_EQ(agreed(context, TLS1_2_VERSION, "", ""), "ECDHE-ECDSA-AES256-GCM-SHA384") << "the first of ours";
  EXPECT_EQ(agreed(context, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", ""), "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_THAT(agreed(context, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", ""), StartsWith("failed: "));
  EXPECT_EQ(agreed(context, TLS1_3_VERSION, "", "X25519"), "TLS_AES_256_GCM_SHA384");
  EXPECT_THAT(agreed(context, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", ""), StartsWith("failed: "));
  EXPECT_EQ(agreed(context, TLS1_3_VERSION, "", "P-384"), "TLS_AES_256_GCM_SHA384");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_THAT(agreed(context, version, "", "P-256"), StartsWith("failed: "));
  }
}

TEST_F(AllowedHandshakes, EveryNameOfTheConfigurationIsKnownToOpenssl) {
  for (const config::TlsName& curve : config::tls_curves()) {
    listener.curves = {std::string(curve.name)};
    const ServerContext context(listener, "web", tickets);
    // With TLS 1.2 a client must also know the curve of the certificate's key (RFC 8422 §5.1).
    const std::string known = curve.name == "P-256" ? "P-256" : std::string(curve.name) + ":P-256";
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      EXPECT_THAT(agreed(context, version, "", known), Not(StartsWith("failed"))) << curve.name;
    }
  }
}

TEST_F(AllowedHandshakes, AMaximumVersionHolds) {
  listener.max_version = config::TlsMinimum::tls12;
  const ServerContext context(listener, "web", tickets);
  EXPECT_THAT(agreed(context, TLS1_2_VERSION, "", ""), Not(StartsWith("failed")));
  EXPECT_THAT(agreed(context, TLS1_3_VERSION, "", ""), StartsWith("failed: "));
}

TEST_F(AllowedHandshakes, CiphersThatNoKeyCanUseAreRefused) {
  listener.ciphers = {"ECDHE-RSA-AES128-GCM-SHA256"};
  const ServerContext with_tls13(listener, "web", tickets);
  listener.max_version = config::TlsMinimum::tls12;
  EXPECT_THAT([&] { ServerContext(listener, "web", tickets); },
              testing::ThrowsMessage<std::runtime_error>(HasSubstr("none of the listener's `ciphers` can be used")));
}

TEST_F(AllowedHandshakes, CiphersMustSuitACertificateForEachName) {
  listener.max_version = config::TlsMinimum::tls12;
  listener.ciphers = {"ECDHE-ECDSA-AES128-GCM-SHA256"};
  const auto add_rsa = [this](const std::string& names) {
    listener.certificates.resize(1);
    listener.certificates.push_back(
        files.write("rsa", test::issue({.names = names, .key = test::KeyType::rsa}, &test::authority())));
  };
  add_rsa("DNS:a.example");
  EXPECT_NO_THROW(ServerContext(listener, "web", tickets)) << "the other one stands for its name";
  add_rsa("DNS:a.example,DNS:b.example");
  EXPECT_THAT([&] { ServerContext(listener, "web", tickets); },
              testing::ThrowsMessage<std::runtime_error>(HasSubstr("none of the listener's `ciphers` can be used")));
}

}  // namespace
}  // namespace baton::tls
