// What handshakes may use, as `openssl s_client` sees it: versions, ciphers and curves. A reload and an upgrade change
// new handshakes; connections that are there keep what they have.
#include <openssl/ssl.h>

#include "harness/tls_client.hpp"
#include "upgrade/changed.hpp"

namespace baton::harness {
namespace {

const std::vector<std::string> suites_of_tls12{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                               "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
                                               "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-RSA-CHACHA20-POLY1305"};
const std::vector<std::string> suites_of_tls13{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                               "TLS_CHACHA20_POLY1305_SHA256"};
const std::vector<std::string> every_curve{"X25519", "P-256", "P-384", "P-521", "X448"};

class AllowedInHandshakes : public Changed {
 protected:
  Settings allowing(const std::string& keys) const {
    Settings settings =
        with(listener("web", web, ", tls: { certificates: [ " + ecdsa.yaml() + ", " + rsa.yaml() + " ]" + keys + " }"),
             upstream("app", origin));
    return settings;
  }

  // The suite that a handshake with these options agrees on; empty: it fails.
  std::string agreed(const std::vector<std::string>& options) const {
    std::vector<std::string> command{"openssl", "s_client", "-connect", web.text(), "-servername", "site.test"};
    command.insert(command.end(), options.begin(), options.end());
    const Outcome outcome = run({command});
    const std::string before = "Cipher is ";
    const std::size_t at = outcome.out.find(before);
    if (outcome.code != 0 || at == std::string::npos) return {};
    const std::size_t begin = at + before.size();
    return outcome.out.substr(begin, outcome.out.find('\n', begin) - begin);
  }
  void expect_only(const std::vector<std::string>& allowed) const {
    for (const std::string& suite : suites_of_tls12) {
      const bool is_allowed = std::ranges::find(allowed, suite) != allowed.end();
      EXPECT_EQ(agreed({"-tls1_2", "-cipher", suite}), is_allowed ? suite : "");
    }
    for (const std::string& suite : suites_of_tls13) {
      const bool is_allowed = std::ranges::find(allowed, suite) != allowed.end();
      EXPECT_EQ(agreed({"-tls1_3", "-ciphersuites", suite}), is_allowed ? suite : "");
    }
  }
  void expect_only_curves(const std::vector<std::string>& allowed) const {
    for (const std::string& curve : every_curve) {
      const bool is_allowed = std::ranges::find(allowed, curve) != allowed.end();
      EXPECT_EQ(!agreed({"-tls1_2", "-groups", curve}).empty(), is_allowed) << curve;
      EXPECT_EQ(!agreed({"-tls1_3", "-groups", curve}).empty(), is_allowed) << curve;
    }
  }

  TempDir directory;
  Authority authority{directory};
  const Certificate ecdsa = authority.issue({"site.test"});
  const Certificate rsa = authority.issue({"site.test"}, KeyType::rsa);
};

INSTANTIATE_TEST_SUITE_P(By, AllowedInHandshakes, testing::Values(Way::upgrade, Way::reload), name_of);

std::vector<std::string> both() {
  std::vector<std::string> all = suites_of_tls12;
  all.insert(all.end(), suites_of_tls13.begin(), suites_of_tls13.end());
  return all;
}

TEST_P(AllowedInHandshakes, CiphersChangeForNewConnectionsOnly) {
  Baton baton(allowing(""));
  expect_only(both());
  TlsClient old12(web, {.version = TLS1_2_VERSION, .suite = "ECDHE-RSA-CHACHA20-POLY1305"});
  TlsClient old13(web, {.version = TLS1_3_VERSION, .suite = "TLS_CHACHA20_POLY1305_SHA256"});
  old12.get("/bytes/1");
  old13.get("/bytes/1");
  const TlsSession session12 = old12.session();
  const TlsSession session13 = old13.session();

  change(baton, allowing(", ciphers: \"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256\", "
                         "ciphersuites: TLS_AES_256_GCM_SHA384"));
  expect_only({"ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_256_GCM_SHA384"});
  for (TlsClient* old : {&old12, &old13}) EXPECT_EQ(old->get("/bytes/30000").body, pattern(30'000));

  // A resumption does not bring a cipher back.
  TlsClient again12(web, {.version = TLS1_2_VERSION, .session = session12.get()});
  TlsClient again13(web, {.version = TLS1_3_VERSION, .session = session13.get()});
  EXPECT_FALSE(again12.resumed());
  EXPECT_EQ(again12.suite(), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(again13.suite(), "TLS_AES_256_GCM_SHA384");
  for (TlsClient* one : {&again12, &again13}) EXPECT_EQ(one->get("/bytes/2").body, pattern(2));

  change(baton, allowing(""));
  expect_only(both());
  for (TlsClient* one : {&old12, &old13, &again12, &again13}) EXPECT_EQ(one->get("/bytes/30000").body, pattern(30'000));
}

TEST_P(AllowedInHandshakes, CurvesChangeForNewConnectionsOnly) {
  Baton baton(allowing(", curves: [ X25519, P-256, P-384, P-521, X448 ]"));
  expect_only_curves(every_curve);
  TlsClient old(web);
  old.get("/bytes/1");
  change(baton, allowing(", curves: secp384r1"));
  expect_only_curves({"P-384"});
  EXPECT_EQ(old.get("/bytes/30000").body, pattern(30'000));
}

TEST_P(AllowedInHandshakes, AKeyForWhichThereIsNoCipherIsNoErrorBesideAnother) {
  const std::string ecdsa_only = ", max_version: 1.2, ciphers: ECDHE-ECDSA-AES128-GCM-SHA256";
  Baton baton(allowing(""));
  change(baton, allowing(ecdsa_only));
  expect_only({"ECDHE-ECDSA-AES128-GCM-SHA256"});
  const Outcome check = run_baton({"check", "-c", baton.config_path()});
  EXPECT_EQ(check.code, 0) << check.err;
}

TEST_P(AllowedInHandshakes, VersionsChangeForNewConnectionsOnly) {
  Baton baton(allowing(""));
  TlsClient old12(web, {.version = TLS1_2_VERSION});
  TlsClient old13(web, {.version = TLS1_3_VERSION});
  old12.get("/bytes/1");
  old13.get("/bytes/1");
  change(baton, allowing(", max_version: 1.2"));
  EXPECT_NE(agreed({"-tls1_2"}), "");
  EXPECT_EQ(agreed({"-tls1_3"}), "");
  change(baton, allowing(", min_version: 1.3"));
  EXPECT_EQ(agreed({"-tls1_2"}), "");
  EXPECT_NE(agreed({"-tls1_3"}), "");
  for (TlsClient* old : {&old12, &old13}) EXPECT_EQ(old->get("/bytes/30000").body, pattern(30'000));
}

}  // namespace
}  // namespace baton::harness
