// The keys of TLS: what loads and what is refused.
#include "config/tls_schema.hpp"

#include <gmock/gmock.h>

#include "config/testing/load.hpp"
#include "config/testing/refusals.hpp"

namespace baton::config {
namespace {

using testing::ElementsAre;

// A listener in line 3 whose `tls` begins in column 29, with a certificate and more.
std::string listener_with(const std::string& more) {
  return with_listeners("  - { name: a, bind: \":80\", tls: { " + more +
                        ", certificates: [ { cert: /c, key: /k } ] } }\n");
}

// The same for a tcp listener; its protocol follows.
std::string tcp_listener_with(const std::string& more) {
  return with_listeners("  - { name: a, bind: \":80\", tls: { " + more +
                        ", certificates: [ { cert: /c, key: /k } ] }, protocol: tcp }\n");
}

// An upstream in line 3 whose `tls` begins in column 20, followed by its server.
std::string upstream_with(const std::string& tls, const std::string& server = "a:1") {
  return with_upstreams("  - { name: app, tls: { " + tls + " }, servers: [ { address: \"" + server + "\" } ] }\n");
}

ListenerTls listener_tls_of(const std::string& yaml) {
  return config_of(yaml).listeners.at(0).tls.value();
}

UpstreamTls upstream_tls_of(const std::string& yaml) {
  return config_of(yaml).upstreams.at(0).tls.value();
}

TEST(ListenerTls, NeedsOneCertificateAndHasADefaultForEverythingElse) {
  const std::string yaml =
      with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { cert: /c, key: /k } ] } }\n");
  EXPECT_EQ(listener_tls_of(yaml), (ListenerTls{.certificates = {{{"/c"}, {"/k"}}},
                                                .min_version = TlsMinimum::tls12,
                                                .alpn = {"h2", "http/1.1", "http/1.0"},
                                                .client_auth = ClientAuth::off,
                                                .client_ca = std::nullopt,
                                                .session_tickets = true}));
}

TEST(ListenerTls, EverySettingArrivesWhereItBelongs) {
  const std::string yaml = with_listeners(
      "  - name: a\n"
      "    bind: \":80\"\n"
      "    tls:\n"
      "      certificates: [ { cert: /a.pem, key: /a.key }, { key: \"/${HOST}.key\", cert: \"/${NONE:-b}.pem\" } ]\n"
      "      min_version: 1.3\n"
      "      alpn: [ http/1.1 ]\n"
      "      client_auth: optional\n"
      "      client_ca: /ca.pem\n"
      "      session_tickets: false\n");
  EXPECT_EQ(listener_tls_of(yaml),
            (ListenerTls{.certificates = {{{"/a.pem"}, {"/a.key"}}, {{"/b.pem"}, {"/10.1.2.3.key"}}},
                         .min_version = TlsMinimum::tls13,
                         .alpn = {"http/1.1"},
                         .client_auth = ClientAuth::optional,
                         .client_ca = File{"/ca.pem"},
                         .session_tickets = false}));
}

TEST(ListenerTls, FilesKnowWhereTheyWereNamed) {
  const ListenerTls tls = listener_tls_of(listener_with("client_auth: required, client_ca: /ca"));
  EXPECT_EQ(tls.client_ca.value().where, (Position{"f", 3, 70}));
  EXPECT_EQ(tls.certificates.at(0).cert.where, (Position{"f", 3, 99}));
  EXPECT_EQ(tls.certificates.at(0).key.where, (Position{"f", 3, 108}));
}

TEST(ListenerTls, CertificatesMayBeFolders) {
  const auto with = [](const std::string& entries) {
    return with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ " + entries + " ] } }\n");
  };
  const ListenerTls tls = listener_tls_of(
      with("{ folder: /etc/letsencrypt/live/*/ }, { cert: /c, key: /k }, { folder: \"/${NONE:-certs}\" }"));
  EXPECT_EQ(tls.certificates, (std::vector<Certificate>{{{"/c"}, {"/k"}}}));
  EXPECT_EQ(tls.folders, (std::vector<File>{{"/etc/letsencrypt/live/*"}, {"/certs"}}));
  EXPECT_EQ(tls.folders.front().where, (Position{"f", 3, 62}));
  const Config config = config_of(with("{ folder: /a/* }"));
  EXPECT_EQ(config_of(print(config)), config);
}

TEST(ListenerTls, WhatHandshakesMayUseHasOpensslsOrIanasNames) {
  const ListenerTls tls = listener_tls_of(
      listener_with("ciphers: [ ECDHE-RSA-AES128-GCM-SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 ], "
                    "ciphersuites: TLS_AES_256_GCM_SHA384, curves: [ prime256v1, X25519, secp384r1 ]"));
  EXPECT_EQ(tls.max_version, TlsMinimum::tls13);
  EXPECT_THAT(tls.ciphers, ElementsAre("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"));
  EXPECT_THAT(tls.ciphersuites, ElementsAre("TLS_AES_256_GCM_SHA384"));
  EXPECT_THAT(tls.curves, ElementsAre("P-256", "X25519", "P-384"));
  EXPECT_EQ(listener_tls_of(listener_with("max_version: 1.2")).max_version, TlsMinimum::tls12);
}

TEST(ListenerTls, NamesMayBeOneTextAsNginxHasThem) {
  const ListenerTls tls = listener_tls_of(
      listener_with("ciphers: \"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256\", curves: X25519:P-256"));
  EXPECT_THAT(tls.ciphers, ElementsAre("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"));
  EXPECT_THAT(tls.curves, ElementsAre("X25519", "P-256"));
}

TEST(ListenerTls, WhatHandshakesMayUseIsPrinted) {
  const Config config = config_of(
      listener_with("max_version: 1.3, ciphers: ECDHE-RSA-AES128-GCM-SHA256, ciphersuites: TLS_AES_256_GCM_SHA384, "
                    "curves: [ P-521, X448 ]"));
  EXPECT_EQ(config_of(print(config)), config);
}

class TlsNames : public testing::TestWithParam<Refusal> {};

TEST_P(TlsNames, AreThoseThatBatonSpeaks) {
  expect_refused(GetParam());
}

const Refusal names[] = {
    {"Cipher",
     listener_with("ciphers: [ AES128-SHA ]"),
     {"f:3:47: `ciphers`: `AES128-SHA` is not a cipher of TLS 1.2 that Baton speaks (expected: "
      "ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-ECDSA-CHACHA20-POLY1305, "
      "ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-AES256-GCM-SHA384, ECDHE-RSA-CHACHA20-POLY1305)"}},
    {"OneOfSeveral",
     listener_with("ciphers: \"ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:!MD5\""),
     {"f:3:45: `ciphers`: `!MD5` is not",
      "f:3:45: `ciphers`: `DHE-RSA-AES128-GCM-SHA256` is not a cipher of TLS 1.2 "
      "that Baton speaks; did you mean `ECDHE-RSA-AES128-GCM-SHA256`?"}},
    {"CipherOfTheOtherVersion",
     listener_with("ciphers: TLS_AES_128_GCM_SHA256"),
     {"f:3:45: `ciphers`: `TLS_AES_128_GCM_SHA256` is of another version of TLS; write it in `ciphersuites`"}},
    {"SuiteOfTheOtherVersion",
     listener_with("ciphersuites: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
     {"f:3:50: `ciphersuites`: `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is of another version of TLS; write it in "
      "`ciphers`"}},
    {"Suite",
     listener_with("ciphersuites: TLS_AES_128_CCM_SHA256"),
     {"f:3:50: `ciphersuites`: `TLS_AES_128_CCM_SHA256` is not a cipher suite of TLS 1.3 that Baton speaks"}},
    {"Curve",
     listener_with("curves: [ secp256k1 ]"),
     {"f:3:46: `curves`: `secp256k1` is not a curve that Baton speaks (expected: X25519, P-256, P-384, P-521, X448)"}},
    {"Nothing",
     listener_with("curves: \"\", ciphers: []"),
     {"f:3:44: `curves`: expected the name of a curve", "f:3:57: `ciphers`: the list is empty"}},
    {"EmptyNames",
     listener_with("ciphers: \"ECDHE-RSA-AES128-GCM-SHA256:\", curves: [ \":X25519\", \"P-256::P-384\", \":\" ]"),
     {"f:3:45: `ciphers`: `ECDHE-RSA-AES128-GCM-SHA256:` has a colon without a name beside it",
      "f:3:87: `curves`: `:X25519` has a colon without a name beside it",
      "f:3:98: `curves`: `P-256::P-384` has a colon without a name beside it",
      "f:3:114: `curves`: `:` has a colon without a name beside it"}},
    {"Twice", listener_with("curves: [ P-256, prime256v1 ]"), {"f:3:53: `curves`: `prime256v1` appears twice"}},
    {"MaximumBelowMinimum",
     listener_with("min_version: 1.3, max_version: 1.2"),
     {"f:3:67: `max_version` is below `min_version`; no client could connect"}},
    {"Maximum", listener_with("max_version: 1.1"), {"f:3:49: `max_version`: unknown value `1.1`"}},
    {"CiphersWithoutEffect",
     listener_with("min_version: 1.3, ciphers: ECDHE-RSA-AES128-GCM-SHA256"),
     {"f:3:63: `ciphers` are of TLS 1.2 and have no effect with `min_version: 1.3`; write `ciphersuites`"}},
    {"SuitesWithoutEffect",
     listener_with("max_version: 1.2, ciphersuites: TLS_AES_256_GCM_SHA384"),
     {"f:3:68: `ciphersuites` are of TLS 1.3 and have no effect with `max_version: 1.2`; write `ciphers`"}},
};
INSTANTIATE_TEST_SUITE_P(OfListeners, TlsNames, testing::ValuesIn(names), [](const auto& i) { return i.param.title; });

TEST(ListenerTls, AVersionMayStandInQuotes) {
  EXPECT_EQ(listener_tls_of(listener_with("min_version: 1.2")).min_version, TlsMinimum::tls12);
  EXPECT_EQ(listener_tls_of(listener_with("min_version: \"1.2\"")).min_version, TlsMinimum::tls12);
  EXPECT_EQ(listener_tls_of(listener_with("min_version: '1.3'")).min_version, TlsMinimum::tls13);
}

TEST(ListenerTls, WordsMayStandInQuotesOrComeFromTheEnvironment) {
  const ListenerTls tls =
      listener_tls_of(listener_with("client_auth: \"off\", session_tickets: \"${TICKETS:-false}\", alpn: http/1.1"));
  EXPECT_EQ(tls.client_auth, ClientAuth::off);
  EXPECT_FALSE(tls.session_tickets);
  EXPECT_THAT(tls.alpn, ElementsAre("http/1.1"));
}

TEST(ListenerTls, AnHttpListenerMayAgreeOnNothing) {
  EXPECT_THAT(listener_tls_of(listener_with("alpn: []")).alpn, ElementsAre());
  EXPECT_THAT(listener_tls_of(listener_with("alpn: http/1.0")).alpn, ElementsAre("http/1.0"));
}

TEST(ListenerTls, ATcpListenerAgreesOnWhatItIsTold) {
  EXPECT_THAT(listener_tls_of(tcp_listener_with("min_version: 1.2")).alpn, ElementsAre());
  EXPECT_THAT(listener_tls_of(tcp_listener_with("alpn: [ h2, postgresql, http/1.1 ]")).alpn,
              ElementsAre("h2", "postgresql", "http/1.1"));
  const std::string longest(255, 'x');
  EXPECT_THAT(listener_tls_of(tcp_listener_with("alpn: " + longest)).alpn, ElementsAre(longest));
}

TEST(ListenerTls, ListenersWithAnotherTlsDiffer) {
  Listener one{.name = "a"};
  Listener other = one;
  other.tls.emplace();
  EXPECT_NE(one, other);
  one.tls.emplace();
  one.tls->client_ca = File{"/ca", {"f", 1, 1}};
  other.tls->client_ca = File{"/ca", {"f", 2, 1}};
  EXPECT_EQ(one, other);
  other.tls->client_ca = File{"/cb", {"f", 1, 1}};
  EXPECT_NE(one, other);
}

TEST(UpstreamTls, IsSwitchedOnByAnEmptyMapping) {
  EXPECT_EQ(config_of(with_upstreams("  - { name: app, servers: [ { address: \"a:1\" } ] }\n")).upstreams.at(0).tls,
            std::nullopt);
  EXPECT_EQ(upstream_tls_of(upstream_with("")), (UpstreamTls{.verify = true,
                                                             .ca = std::nullopt,
                                                             .server_name = "",
                                                             .certificate = std::nullopt,
                                                             .min_version = TlsMinimum::tls12}));
  EXPECT_EQ(upstream_tls_of(upstream_with("ca: auto, server_name: auto")), UpstreamTls{});
}

TEST(UpstreamTls, EverySettingArrivesWhereItBelongs) {
  const UpstreamTls tls = upstream_tls_of(
      upstream_with("verify: false, server_name: \"${NAME:-api.internal}\", ca: /ca, min_version: 1.3,\n"
                    "      certificate: { cert: /c, key: \"/${HOST}\" }"));
  EXPECT_EQ(tls, (UpstreamTls{.verify = false,
                              .ca = File{"/ca"},
                              .server_name = "api.internal",
                              .certificate = Certificate{{"/c"}, {"/10.1.2.3"}},
                              .min_version = TlsMinimum::tls13}));
  EXPECT_EQ(tls.ca->where, (Position{"f", 3, 82}));
  EXPECT_EQ(tls.certificate->cert.where, (Position{"f", 4, 28}));
}

TEST(UpstreamTls, AUnixPathIsVerifiedForTheNameThatIsGiven) {
  EXPECT_EQ(upstream_tls_of(upstream_with("server_name: app", "unix:/u")).server_name, "app");
  EXPECT_FALSE(upstream_tls_of(upstream_with("verify: false", "unix:/u")).verify);
}

TEST(UpstreamTls, AnIpAddressNeedsNoName) {
  EXPECT_TRUE(upstream_tls_of(upstream_with("verify: true", "10.0.0.1:443")).verify);
  EXPECT_TRUE(upstream_tls_of(upstream_with("verify: true", "[::1]:443")).verify);
}

TEST(Watch, IsForFoldersUnlessMoreOrLessIsAskedFor) {
  EXPECT_EQ(config_of(minimal).watch, Watch::folders);
  EXPECT_EQ(config_of(minimal + "watch: auto\n").watch, Watch::folders);
  EXPECT_EQ(config_of(minimal + "watch: false\n").watch, Watch::none);
  EXPECT_EQ(config_of(minimal + "watch: \"${WATCH:-true}\"\n").watch, Watch::all);
}

class TlsRefusals : public testing::TestWithParam<Refusal> {};

TEST_P(TlsRefusals, NamePlaceAndReason) {
  expect_refused(GetParam());
}

const std::string map_needed =
    "expected keys with values, as in `tls: { certificates: [ { cert: /PATH, key: /PATH } ] }`";

const Refusal of_listeners[] = {
    {"NoValue", with_listeners("  - { name: a, bind: \":80\", tls: }\n"), {"f:3:29: `tls`: " + map_needed}},
    {"Flag", with_listeners("  - { name: a, bind: \":80\", tls: true }\n"), {"f:3:34: `tls`: " + map_needed}},
    {"List", with_listeners("  - { name: a, bind: \":80\", tls: [ /c ] }\n"), {"f:3:34: `tls`: " + map_needed}},
    {"NoCertificates",
     with_listeners("  - { name: a, bind: \":80\", tls: {} }\n"),
     {"f:3:34: `certificates` is missing in `tls` of a listener"}},
    {"EmptyCertificates",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [] } }\n"),
     {"f:3:50: `certificates`: expected a list with at least one entry, as in `- { cert: /etc/baton/tls/site.pem, "
      "key: "}},
    {"CertificatesAreOne",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: { cert: /c, key: /k } } }\n"),
     {"f:3:50: `certificates`: expected a list with at least one entry"}},
    {"CertificateWithoutKey",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { cert: /c } ] } }\n"),
     {"f:3:52: `key` is missing on a certificate"}},
    {"CertificateOfNothing",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ ~ ] } }\n"),
     {"f:3:52: `cert` is missing on a certificate", "f:3:52: `key` is missing on a certificate"}},
    {"UnknownKey",
     listener_with("min_vresion: 1.3"),
     {"f:3:36: unknown key `min_vresion` in `tls` of a listener; did you mean `min_version`? (expected: certificates, "
      "min_version, max_version, ciphers, ciphersuites, curves, alpn, client_auth, client_ca, session_tickets)"}},
    {"UnknownKeyOfACertificate",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { cret: /c, key: /k } ] } }\n"),
     {"f:3:54: unknown key `cret` on a certificate; did you mean `cert`? (expected: cert, key, folder)"}},
    {"RelativeFolder",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { folder: live/* }, { folder: / } ] } }\n"),
     {"f:3:62: `folder`: `live/*` must be the absolute path of a folder, or a pattern of such paths",
      "f:3:82: `folder`: `/` must be the absolute path of a folder, or a pattern of such paths"}},
    {"FolderBesideAFile",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { folder: /live, cert: /c } ] } }\n"),
     {"f:3:52: `folder` stands alone; write `cert` and `key` in an entry of their own"}},
    {"FolderWithoutItsKey",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ /etc/letsencrypt/live/*/ ] } }\n"),
     {"f:3:52: `certificates`: expected keys with values, as in `{ folder: /etc/letsencrypt/live/*/ }`"}},
    {"RelativeFiles",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { cert: site.pem, key: /tls/ } ] } }\n"),
     {"f:3:60: `cert`: `site.pem` must be the absolute path of a file",
      "f:3:75: `key`: `/tls/` must be the absolute path of a file"}},
    {"EmptyFile",
     with_listeners("  - { name: a, bind: \":80\", tls: { certificates: [ { cert: \"${EMPTY}\", key: /k } ] } }\n"),
     {"f:3:60: `cert`: `` must be the absolute path of a file"}},
    {"RelativeClientCa",
     listener_with("client_auth: required, client_ca: auto"),
     {"f:3:70: `client_ca`: `auto` must be the absolute path of a file"}},
    {"UnsetVariable",
     listener_with("alpn: \"${ABSENT}\""),
     {"f:3:42: `alpn`: the environment variable `ABSENT` is not set"}},
    {"OldVersion",
     listener_with("min_version: 1.1"),
     {"f:3:49: `min_version`: unknown value `1.1`; did you mean `1.2`? (expected: 1.2, 1.3)"}},
    {"UnknownClientAuthAndNothingBecauseOfIt",
     listener_with("client_auth: true, client_ca: /ca"),
     {"f:3:49: `client_auth`: unknown value `true` (expected: off, optional, required)"}},
    {"ClientAuthWithoutCa",
     listener_with("client_auth: required"),
     {"f:3:49: `client_auth: required` needs a `client_ca` to verify clients with"}},
    {"OptionalClientAuthWithoutCa",
     tcp_listener_with("client_auth: optional"),
     {"f:3:49: `client_auth: optional` needs a `client_ca` to verify clients with"}},
    {"ClientCaOfNoUse",
     listener_with("client_ca: /ca"),
     {"f:3:47: `client_ca` has no effect while `client_auth` is off; set that to `optional` or `required`"}},
    {"ClientCaSwitchedOff",
     listener_with("client_ca: /ca, client_auth: off"),
     {"f:3:47: `client_ca` has no effect while `client_auth` is off; set that to `optional` or `required`"}},
    {"TicketsAreNotAFlag",
     listener_with("session_tickets: on"),
     {"f:3:53: `session_tickets`: unknown value `on` (expected: false, true)"}},
};
INSTANTIATE_TEST_SUITE_P(OfListeners, TlsRefusals, testing::ValuesIn(of_listeners),
                         [](const auto& i) { return i.param.title; });

const Refusal of_alpn[] = {
    {"SomethingElseOnHttp",
     listener_with("alpn: [ http/0.9, http/1.0, spdy ]"),
     {"f:3:44: `alpn`: `http/0.9` is not a protocol of http listeners; write `h2`, `http/1.1` or `http/1.0`",
      "f:3:64: `alpn`: `spdy` is not a protocol of http listeners; write `h2`, `http/1.1` or `http/1.0`"}},
    {"UnknownProtocolAndNothingBecauseOfIt",
     with_listeners(
         "  - { name: a, bind: \":80\", protocol: tpc, tls: { alpn: [ x ], certificates: [ { cert: /c, key: /k "
         "} ] } }\n"),
     {"f:3:39: `protocol`: unknown value `tpc`; did you mean `tcp`? (expected: http, tcp)"}},
    {"EmptyName", tcp_listener_with("alpn: [ a, \"\" ]"), {"f:3:47: `alpn`: `` must have 1 to 255 bytes"}},
    {"LongName",
     tcp_listener_with("alpn: " + std::string(256, 'x')),
     {"f:3:42: `alpn`: `" + std::string(64, 'x') + "...` must have 1 to 255 bytes"}},
    {"NoValue", tcp_listener_with("alpn: ~"), {"f:3:36: `alpn`: a value is missing"}},
    {"Keys", tcp_listener_with("alpn: { a: b }"), {"f:3:42: `alpn`: expected one value, not a list or keys"}},
};
INSTANTIATE_TEST_SUITE_P(OfAlpn, TlsRefusals, testing::ValuesIn(of_alpn), [](const auto& i) { return i.param.title; });

const Refusal of_upstreams[] = {
    {"NoValue",
     with_upstreams("  - { name: app, tls: , servers: [ { address: \"a:1\" } ] }\n"),
     {"f:3:18: `tls`: expected keys with values, as in `tls: {}`, which is TLS with all its defaults"}},
    {"Flag",
     with_upstreams("  - { name: app, tls: on, servers: [ { address: \"a:1\" } ] }\n"),
     {"f:3:23: `tls`: expected keys with values, as in `tls: {}`"}},
    {"UnknownKey",
     upstream_with("severname: a"),
     {"f:3:25: unknown key `severname` in `tls` of an upstream; did you mean `server_name`? (expected: verify, ca, "
      "server_name, certificate, min_version)"}},
    {"VerifyIsNotAFlagAndNothingBecauseOfIt",
     upstream_with("verify: no", "unix:/u"),
     {"f:3:33: `verify`: unknown value `no` (expected: false, true)"}},
    {"RelativeCa", upstream_with("ca: certs"), {"f:3:29: `ca`: `certs` must be the absolute path of a file"}},
    {"ServerNameIsAnIpAddress",
     upstream_with("server_name: 10.0.0.1"),
     {"f:3:38: `server_name`: `10.0.0.1` is an IP address, not the name of a host"}},
    {"ServerNameWithAPortAndNothingBecauseOfIt",
     upstream_with("server_name: \"a:1\"", "unix:/u"),
     {"f:3:38: `server_name`: `a:1` is not a host name; write it like api.example.com"}},
    {"EmptyServerName", upstream_with("server_name: \"\""), {"f:3:38: `server_name`: `` is not a host name"}},
    {"UnixPathWithoutServerName",
     upstream_with("", "unix:/run/app.sock"),
     {"f:3:23: `tls`: `unix:/run/app.sock` has no host to verify a certificate for; write its `server_name`"}},
    {"OneOfSeveralWithoutServerName",
     with_upstreams("  - name: app\n"
                    "    servers: [ { address: \"a:1\" }, { address: \"unix:/u\" }, { address: \"unix:/v\" } ]\n"
                    "    tls: { verify: true, server_name: auto }\n"),
     {"f:5:10: `tls`: `unix:/u` has no host to verify a certificate for; write its `server_name`"}},
    {"EmptyCertificate",
     upstream_with("certificate: {}"),
     {"f:3:38: `cert` is missing in `certificate`", "f:3:38: `key` is missing in `certificate`"}},
    {"CertificateIsAPath", upstream_with("certificate: /c"), {"f:3:38: `certificate`: expected keys with values"}},
    {"NewVersion",
     upstream_with("min_version: \"1.4\""),
     {"f:3:38: `min_version`: unknown value `1.4`; did you mean `1.2`? (expected: 1.2, 1.3)"}},
};
INSTANTIATE_TEST_SUITE_P(OfUpstreams, TlsRefusals, testing::ValuesIn(of_upstreams),
                         [](const auto& i) { return i.param.title; });

}  // namespace
}  // namespace baton::config
