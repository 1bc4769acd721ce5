// Third-party clients, each with a different TLS stack, before, across and after upgrades.
#include <gtest/gtest.h>

#include <filesystem>

#include "harness/baton.hpp"
#include "harness/certificates.hpp"
#include "harness/http2_frames.hpp"
#include "harness/origin.hpp"

namespace baton::harness {
namespace {

class Peers : public testing::Test {
 protected:
  Settings settings(const Address& server) const {
    Settings settings(server);
    settings.tls = "certificates: [ " + ecdsa.yaml() + ", " + rsa.yaml() + " ], alpn: [ h2, http/1.1 ]";
    settings.handoff += ", finish_timeout: 100ms";
    return settings;
  }
  static std::string port_of(const Baton& baton) { return std::to_string(baton.address().port); }

  // Runs it to completion; its last line is "ok".
  void expect_ok(const Command& command, const Baton& baton) const {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, 0) << outcome.err << baton.log();
    EXPECT_EQ(outcome.out, "ok\n");
  }

  TempDir directory;
  Authority authority{directory};
  const Certificate ecdsa = authority.issue({"localhost", "127.0.0.1"});
  const Certificate rsa = authority.issue({"localhost", "127.0.0.1"}, KeyType::rsa);
  Origin origin;
};

TEST_F(Peers, PythonKeepsItsConnections) {
  Baton baton(settings(origin.address()));
  expect_ok({{"/usr/bin/python3", BATON_TLS_TESTS "/python/peer.py", port_of(baton), authority.path(),
              baton.pid_file_path()}},
            baton);
  EXPECT_EQ(baton.number("accepted_total"), 7);
}

TEST_F(Peers, NodeKeepsItsConnections) {
  Baton baton(settings(origin.address()));
  expect_ok({{"node", BATON_TLS_TESTS "/node/tls_peer.mjs", port_of(baton), authority.path(), baton.pid_file_path()}},
            baton);
}

TEST_F(Peers, AWebSocketOfNodeIsKept) {
  if (!std::filesystem::exists(NODE_PACKAGES "/node_modules")) GTEST_SKIP() << "npm's registry cannot be reached";
  Process echo({{"/usr/bin/python3", BATON_TLS_TESTS "/python/websocket_echo.py"}});
  const int port = std::stoi(echo.await_line(Process::Stream::out, std::regex(R"(^\d+$)")));
  Baton baton(settings(loopback(static_cast<std::uint16_t>(port))));
  expect_ok({.argv = {"node", BATON_TLS_TESTS "/node/websocket_peer.mjs", port_of(baton), authority.path(),
                      baton.pid_file_path()},
             .directory = NODE_PACKAGES},
            baton);
}

// The upgrade comes in the middle of the transfer, and the file is intact.
TEST_F(Peers, CurlDownloadsAcrossAnUpgrade) {
  Baton baton(settings(origin.address()));
  int arrivals = 0;
  for (const char* version : {"1.2", "1.3"}) {
    origin.gate().shut();
    Process curl({{"curl", "-sS", "--http1.1", "--cacert", authority.path(), "--tlsv" + std::string(version),
                   "--tls-max", version, "https://localhost:" + port_of(baton) + "/half-chunked/3000000"}});
    origin.gate().await_arrivals(++arrivals);
    baton.upgrade();
    origin.gate().open();
    EXPECT_EQ(curl.await_exit(), (Ended{0, 0})) << curl.err() << baton.log();
    curl.await_end_of_output();
    EXPECT_TRUE(curl.out() == pattern(3'000'000)) << "with TLS " << version;
  }
}

TEST_F(Peers, CurlDownloadsByHttp2AcrossAnUpgrade) {
  Baton baton(settings(origin.address()));
  int arrivals = 0;
  for (const std::string suite :
       {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"}) {
    const bool is_tls13 = suite.starts_with("TLS_");
    origin.gate().shut();
    Process curl({{"curl", "-sS", "--http2", "--cacert", authority.path(), "--tls-max", is_tls13 ? "1.3" : "1.2",
                   is_tls13 ? "--tls13-ciphers" : "--ciphers", suite, "-w", " over %{http_version}",
                   "https://localhost:" + port_of(baton) + "/half-chunked/3000000"}});
    origin.gate().await_arrivals(++arrivals);
    baton.upgrade();
    origin.gate().open();
    EXPECT_EQ(curl.await_exit(), (Ended{0, 0})) << curl.err() << baton.log();
    curl.await_end_of_output();
    EXPECT_TRUE(curl.out() == pattern(3'000'000) + " over 2") << "with " << suite;
  }
}

// Debian's wget uses GnuTLS.
TEST_F(Peers, WgetDownloadsAcrossAnUpgrade) {
  Baton baton(settings(origin.address()));
  Process wget({{"wget", "-q", "-O", "-", "--ca-certificate=" + authority.path(),
                 "https://localhost:" + port_of(baton) + "/half/3000000"}});
  origin.gate().await_arrivals(1);
  baton.upgrade();
  baton.upgrade();
  origin.gate().open();
  EXPECT_EQ(wget.await_exit(), (Ended{0, 0})) << wget.err() << baton.log();
  wget.await_end_of_output();
  EXPECT_TRUE(wget.out() == pattern(3'000'000));
}

class GnuTls : public Peers, public testing::WithParamInterface<const char*> {
 protected:
  Command command(const Baton& baton, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> argv{"gnutls-cli",        "--x509cafile", authority.path(), "--sni-hostname", "localhost",
                                  "--verify-hostname", "localhost",    "--priority",     GetParam(),       "-p",
                                  port_of(baton),      "127.0.0.1"};
    argv.insert(argv.end(), more.begin(), more.end());
    return {.argv = std::move(argv), .has_input = true};
  }
};

TEST_P(GnuTls, KeepsItsConnection) {
  Baton baton(settings(origin.address()));
  Process client(command(baton));
  for (int round = 0; round < 10; ++round) {
    const std::string path = "/echo?" + std::to_string(round);
    client.type("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.await_line(Process::Stream::out, std::regex("^GET /echo." + std::to_string(round) + " "));
    baton.upgrade();
  }
  client.end_input();
  EXPECT_EQ(client.await_exit(), (Ended{0, 0})) << client.out() << client.err() << baton.log();
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

// It has no HTTP/2 of its own, so it gets frames to send. Each request takes the authority from the table of the first.
TEST_P(GnuTls, KeepsItsConnectionOfHttp2) {
  using namespace http2;
  Baton baton(settings(origin.address()));
  Process client(command(baton, {"--alpn", "h2"}));
  client.type(std::string(preface) + frame(settings_type, 0, 0, ""));
  for (std::uint32_t round = 0; round < 5; ++round) {
    const std::string target = "/echo?" + std::to_string(round);
    const std::string name = round == 0 ? literal(new_authority, "localhost") : std::string(newest);
    client.type(frame(headers, ends_stream | ends_headers, 2 * round + 1,
                      std::string(get) + std::string(scheme_https) + literal(path, target) + name));
    client.await_line(Process::Stream::out, std::regex("GET /echo." + std::to_string(round) + " "));
    if (round == 0) client.type(frame(settings_type, acknowledges, 0, ""));
    baton.upgrade();
  }
  client.end_input();
  EXPECT_EQ(client.await_exit(), (Ended{0, 0})) << client.out() << client.err() << baton.log();
  EXPECT_EQ(baton.number("accepted_total"), 1);
}

INSTANTIATE_TEST_SUITE_P(Suites, GnuTls,
                         testing::Values("NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM",
                                         "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-256-GCM",
                                         "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305",
                                         "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM",
                                         "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM",
                                         "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305"));

}  // namespace
}  // namespace baton::harness
