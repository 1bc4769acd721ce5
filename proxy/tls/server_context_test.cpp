// How the configuration determines a listener's TLS: certificates by name, wrong files, ALPN.
#include "proxy/tls/server_context.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "proxy/tls/self_test.hpp"
#include "proxy/tls/suites.hpp"
#include "proxy/tls/testing/leg.hpp"
#include "proxy/tls/testing/server_context.hpp"

namespace baton::tls {
namespace {

using config::ClientAuth;
using test::KeyType;
using test::Ours;
using test::Peer;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// ── Certificates by name ──────────────────────────────────────────────────────────────────────────────────────────

// The common name and key of the certificate for a client that asks for `name`.
std::string given(const ServerContext& context, const char* name, const char* algorithms, int version) {
  const SslCtxPtr theirs = test::context_of(TLS_client_method(), version);
  if (algorithms != nullptr) test::allow_signatures(theirs.get(), algorithms);
  if (algorithms != nullptr && version == TLS1_2_VERSION) {
    SSL_CTX_set_cipher_list(theirs.get(), std::string_view(algorithms).starts_with("RSA") ? "aRSA" : "aECDSA");
  }
  Ours ours(context.get());
  Peer peer(theirs.get());
  if (name != nullptr) SSL_ctrl(peer.ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(name));
  test::shake_hands(ours, peer);
  if (!ours.is_done()) return "failed: " + ours.handshake.failure();
  EXPECT_EQ(ours.tls().facts.server_name, name != nullptr ? name : "");
  EXPECT_TRUE(test::understand(ours, peer));
  const X509Ptr certificate(SSL_get1_peer_certificate(peer.ssl()));
  char common[64] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, common, sizeof common);
  return common;
}

TEST_F(ServerContextTest, ChoosesTheCertificateByName) {
  const auto add = [&](const std::string& common_name, const std::string& names, KeyType key = KeyType::ecdsa) {
    listener.certificates.push_back(
        files.write(common_name, test::issue({.common_name = common_name, .names = names, .key = key}, &test::authority())));
  };
  listener.certificates.clear();
  add("first", "DNS:first.example,DNS:www.first.example");
  add("first-rsa", "DNS:first.example", KeyType::rsa);
  add("wild", "DNS:*.wild.example");
  add("exact", "DNS:Exact.Wild.example");
  add("both", "DNS:both.example");
  add("both-rsa", "DNS:both.example", KeyType::rsa);
  add("too-late", "DNS:both.example");
  add("common.example", "");
  const ServerContext context(listener, "web", tickets);

  constexpr const char* rsa_only = "RSA-PSS+SHA256:RSA+SHA256";
  constexpr const char* ecdsa_only = "ECDSA+SHA256";
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto get = [&](const char* name, const char* algorithms = "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256") {
      if (version == TLS1_2_VERSION && std::string_view(algorithms).starts_with("ECDSA+SHA256:")) algorithms = nullptr;
      return given(context, name, algorithms, version);
    };
    EXPECT_EQ(get("first.example"), "first");
    EXPECT_EQ(get("www.first.example"), "first");
    EXPECT_EQ(get("A.Wild.EXAMPLE"), "wild") << "names have no case";
    EXPECT_EQ(get("a.wild.example"), "wild");
    EXPECT_EQ(get("exact.wild.example"), "exact") << "rather than the wildcard";
    EXPECT_EQ(get("common.example"), "common.example") << "no alternative names";
    EXPECT_EQ(get("a.b.wild.example"), "first") << "a wildcard stands for one label";
    EXPECT_EQ(get("wild.example"), "first") << "and not for none";
    EXPECT_EQ(get("unknown.example"), "first");
    EXPECT_EQ(get(nullptr), "first") << "no name";
    EXPECT_EQ(get("both.example", rsa_only), "both-rsa");
    EXPECT_EQ(get("both.example", ecdsa_only), "both");
    EXPECT_EQ(get(nullptr, rsa_only), "first-rsa") << "the default has both types too";
    EXPECT_THAT(get("exact.wild.example", rsa_only), StartsWith("failed: no s")) << "no shared cipher or algorithm";
  }
}

TEST_F(ServerContextTest, CoversTheHostsOfTheCertificateThatWasChosen) {
  listener.certificates.push_back(files.write(
      "other",
      test::issue({.names = "DNS:*.other.example,DNS:other.example,IP:127.0.0.1,IP:::1"}, &test::authority())));
  const ServerContext context(listener, "web", tickets);
  EXPECT_TRUE(context.covers("", "a.example")) << "the first, for clients that name none";
  EXPECT_TRUE(context.covers("a.example", "A.Example"));
  EXPECT_FALSE(context.covers("a.example", "other.example"));
  EXPECT_FALSE(context.covers("", "b.a.example"));
  EXPECT_TRUE(context.covers("other.example", "x.other.example"));
  EXPECT_TRUE(context.covers("x.other.example", "other.example"));
  EXPECT_FALSE(context.covers("other.example", "x.y.other.example"));
  EXPECT_TRUE(context.covers("other.example", "127.0.0.1"));
  EXPECT_TRUE(context.covers("other.example", "[::1]"));
  EXPECT_FALSE(context.covers("other.example", "127.0.0.2"));
  EXPECT_FALSE(context.covers("other.example", ""));
}

// ── Files that are wrong ──────────────────────────────────────────────────────────────────────────────────────────

class BadFiles : public ServerContextTest {
 protected:
  std::string refusal() {
    try {
      const ServerContext context(listener, "web", tickets);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "nothing is wrong with it";
  }
  // The place in the configuration, the file, and what is wrong.
  auto says(const config::File& file, const std::string& what) const {
    return AllOf(StartsWith("baton.yaml:" + std::to_string(file.where.line) + ":5: " + file.path + ": "), HasSubstr(what));
  }
  config::Certificate& certificate() { return listener.certificates.front(); }
};

TEST_F(BadFiles, ThatAreMissingAreNamed) {
  certificate().cert = files.missing("nowhere.pem", 7);
  EXPECT_THAT(refusal(), says(certificate().cert, "No such file"));
  certificate() = files.write("some", some_certificate());
  certificate().key = files.missing("nowhere.key", 8);
  EXPECT_THAT(refusal(), says(certificate().key, "No such file"));
  certificate().key = files.missing(".", 9);
  EXPECT_THAT(refusal(), says(certificate().key, "Is a directory"));
}

// Opening a FIFO waits for a writer that may never come.
TEST_F(BadFiles, ThatAreNoFilesAreNamedAndNotWaitedFor) {
  const std::string what = "not a regular file";
  certificate().cert = files.missing("fifo", 7);
  ASSERT_EQ(::mkfifo(certificate().cert.path.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), says(certificate().cert, what));
  const config::File link = files.missing("link", 8);
  ASSERT_EQ(::symlink(certificate().cert.path.c_str(), link.path.c_str()), 0);
  certificate() = files.write("some", some_certificate());
  certificate().key = link;
  EXPECT_THAT(refusal(), says(certificate().key, what));
  certificate().key.path = "/dev/zero";
  EXPECT_THAT(refusal(), says(certificate().key, what));
  certificate() = files.write("some", some_certificate());
  require_clients();
  listener.client_ca = link;
  EXPECT_THAT(refusal(), says(*listener.client_ca, what));
}

TEST_F(BadFiles, ThatHoldNoPemAreNamed) {
  certificate().cert = files.write("text.pem", "not at all", 7);
  EXPECT_THAT(refusal(), says(certificate().cert, "no certificate in PEM"));
  certificate() = files.write("some", some_certificate());
  certificate().key = files.write("text.key", "", 8);
  EXPECT_THAT(refusal(), says(certificate().key, "no private key in PEM"));
  certificate().key = files.write("other.key", some_certificate().certificate_pem(), 8);
  EXPECT_THAT(refusal(), says(certificate().key, "no private key in PEM"));
}

TEST_F(BadFiles, AKeyOfAnotherCertificateIsNamed) {
  certificate().key = files.write("other.key", test::authority().key_pem(), 9);
  EXPECT_THAT(refusal(), says(certificate().key, "does not belong to the certificate in " + certificate().cert.path));
}

TEST_F(BadFiles, AKeyThatWantsAPassphraseIsNamedAndNobodyIsAsked) {
  certificate().key = files.write("secret.key", some_certificate().key_pem("passphrase"), 9);
  EXPECT_THAT(refusal(), says(certificate().key, "store it without one"));
}

TEST_F(BadFiles, AChainThatCannotBeReadIsNamed) {
  const std::string leaf = some_certificate().certificate_pem();
  const std::string issuer = test::authority().certificate_pem();
  certificate().cert = files.write("chain.pem", leaf + issuer, 7);
  EXPECT_EQ(refusal(), "nothing is wrong with it");
  std::string broken = issuer;
  broken.replace(broken.size() / 2, 4, "!!!!");
  for (const std::string& rest : {issuer.substr(0, issuer.size() / 2), broken}) {
    certificate().cert = files.write("chain.pem", leaf + rest, 7);
    EXPECT_THAT(refusal(), says(certificate().cert, "a certificate of the chain cannot be read"));
  }
}

TEST_F(BadFiles, AKeyThatOpenSslFindsTooWeakIsNamedBeforeAnybodyConnects) {
  certificate() = files.write("weak", test::issue({.names = "DNS:a.example", .key = KeyType::rsa, .rsa_bits = 1024}), 7);
  EXPECT_THAT(refusal(), says(certificate().cert, "too small"));
}

TEST_F(BadFiles, AnAuthorityWithoutCertificatesIsNamed) {
  require_clients();
  EXPECT_EQ(refusal(), "nothing is wrong with it");
  for (const std::string& text : {std::string("text"), std::string(), test::authority().certificate_pem().substr(0, 200)}) {
    listener.client_ca = files.write("text.pem", text, 11);
    EXPECT_THAT(refusal(), says(*listener.client_ca, "no certificates in PEM"));
  }
  listener.client_ca = files.missing("nowhere.pem", 12);
  EXPECT_THAT(refusal(), says(*listener.client_ca, "No such file"));
}

// ── Rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_F(ServerContextTest, AgreesOnTheProtocolThatItLikesBestOrOnNoConnection) {
  listener.alpn = {"http/1.1", "acme"};
  const ServerContext context(listener, "web", tickets);
  const auto agree = [&](std::string_view offered) {
    const SslCtxPtr theirs = test::context_of(TLS_client_method());
    Ours ours(context.get());
    Peer peer(theirs.get());
    SSL_set_alpn_protos(peer.ssl(), reinterpret_cast<const unsigned char*>(offered.data()), static_cast<unsigned>(offered.size()));
    test::shake_hands(ours, peer);
    return ours.is_done() ? std::string(ours.tls().facts.alpn) : ours.handshake.failure() + "; " + peer.failure();
  };
  EXPECT_EQ(agree("\4acme\x8http/1.1"), "http/1.1");
  EXPECT_EQ(agree("\4acme\2h2"), "acme");
  EXPECT_EQ(agree(""), "") << "a client that knows of none";
  EXPECT_THAT(agree("\2h2"), AllOf(HasSubstr("no application protocol"), EndsWith("no application protocol")));
}

TEST_F(ServerContextTest, NegotiatesNothingThatTheRecordLayerDoesNotSpeak) {
  for (const auto minimum : {config::TlsMinimum::tls12, config::TlsMinimum::tls13}) {
    for (const SSL_METHOD* method : {TLS_server_method(), TLS_client_method()}) {
      const SslCtxPtr context = make_context(method, minimum);
      const STACK_OF(SSL_CIPHER)* const ciphers = SSL_CTX_get_ciphers(context.get());
      ASSERT_EQ(static_cast<std::size_t>(sk_SSL_CIPHER_num(ciphers)), suites().size());
      for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
        const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
        const Suite* const suite =
            find_suite(std::string_view(SSL_CIPHER_get_version(cipher)) == "TLSv1.3" ? tls13 : tls12, SSL_CIPHER_get_protocol_id(cipher));
        ASSERT_NE(suite, nullptr) << SSL_CIPHER_get_name(cipher);
        EXPECT_EQ(suite->name, SSL_CIPHER_get_name(cipher));
        EXPECT_TRUE(is_proved(*suite));
      }
    }
  }
}

}  // namespace
}  // namespace baton::tls
