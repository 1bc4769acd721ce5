// Which servers Baton trusts: for all others the client gets 502, and the log the reason.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "tls/upstream_peers.hpp"

namespace baton::harness {
namespace {

class UpstreamTrust : public testing::Test {
 protected:
  Settings settings(const TlsServer& server, const std::string& upstream_tls) const {
    Settings settings(server.address());
    settings.upstream_tls = upstream_tls;
    return settings;
  }
  std::unique_ptr<TlsServer> server_with(const Certificate& certificate, const std::string& client_ca = "") const {
    return nginx_before(origin.address(), {certificate, "1.2 TLSv1.3", client_ca});
  }
  std::string trusting(const Authority& who, const std::string& name = "origin.test") const {
    return "{ ca: " + who.path() + ", server_name: " + name + " }";
  }
  void expect_refused(const TlsServer& server, const std::string& upstream_tls, const std::string& why) {
    Baton baton(settings(server, upstream_tls));
    EXPECT_EQ(baton.connect().get("/bytes/3").status(), 502);
    const std::string line = baton.await_log(std::regex("cannot be connected: TLS"));
    EXPECT_NE(line.find(why), std::string::npos) << line;
    EXPECT_NE(line.find(server.address().text()), std::string::npos) << line;
    EXPECT_TRUE(origin.requests().empty()) << "nothing is sent to somebody whom we do not trust";
  }

  TempDir directory;
  Authority authority{directory};
  Authority stranger{directory, "stranger"};
  Origin origin;
};

TEST_F(UpstreamTrust, IsInWhoIsKnownByThatName) {
  const auto server = server_with(authority.issue({"origin.test"}));
  Baton baton(settings(*server, trusting(authority)));
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
}

TEST_F(UpstreamTrust, IsInTheAddressIfThereIsNoName) {
  const auto server = server_with(authority.issue({"127.0.0.1"}));
  Baton baton(settings(*server, "{ ca: " + authority.path() + " }"));
  const Response response = baton.connect().get("/bytes/3");
  EXPECT_EQ(response.body, pattern(3));
  EXPECT_EQ(response.field("X-Name").value_or(""), "") << "an address is no server name (RFC 6066)";
}

TEST_F(UpstreamTrust, IsNotInAnExpiredCertificate) {
  expect_refused(*server_with(authority.issue_expired("origin.test")), trusting(authority), "certificate has expired");
}

TEST_F(UpstreamTrust, IsNotInAnUnknownIssuer) {
  expect_refused(*server_with(stranger.issue({"origin.test"})), trusting(authority),
                 "unable to get local issuer certificate");
  expect_refused(*server_with(authority.issue({"origin.test"})), "{ server_name: origin.test }",
                 "unable to get local issuer certificate");
}

TEST_F(UpstreamTrust, IsNotInAnotherName) {
  expect_refused(*server_with(authority.issue({"other.test"})), trusting(authority), "ostname mismatch");
  expect_refused(*server_with(authority.issue({"origin.test"})), "{ ca: " + authority.path() + " }",
                 "IP address mismatch");
}

TEST_F(UpstreamTrust, IsInAnybodyWithoutVerification) {
  const auto server = server_with(stranger.issue_expired("other.test"));
  Baton baton(settings(*server, "{ verify: false }"));
  EXPECT_EQ(baton.connect().get("/bytes/3").body, pattern(3));
}

TEST_F(UpstreamTrust, AServerMayAskWhoWeAre) {
  const auto server = server_with(authority.issue({"origin.test"}), authority.path());
  const std::string ours = "certificate: " + authority.issue_to("Baton").yaml();
  Baton known(settings(*server, "{ ca: " + authority.path() + ", server_name: origin.test, " + ours + " }"));
  Client client = known.connect();
  EXPECT_EQ(client.get("/bytes/3").field("X-Client"), "CN=Baton");
  known.upgrade();
  EXPECT_EQ(client.get("/bytes/3").field("X-Client"), "CN=Baton");
  Baton unknown(settings(*server, trusting(authority)));
  EXPECT_EQ(unknown.connect().get("/bytes/3").field("X-Client").value_or(""), "");
}

TEST_F(UpstreamTrust, MinVersionIsForServersToo) {
  const auto server = nginx_before(origin.address(), {authority.issue({"origin.test"}), "1.2"});
  expect_refused(*server, "{ ca: " + authority.path() + ", server_name: origin.test, min_version: \"1.3\" }",
                 "protocol version");
}

TEST_F(UpstreamTrust, APlainServerIsNoTlsServer) {
  const Nginx server;
  Settings plain(server.address());
  plain.upstream_tls = trusting(authority);
  Baton baton(plain);
  EXPECT_EQ(baton.connect().get("/bytes/3").status(), 502);
  baton.await_log(std::regex("cannot be connected: TLS"));
}

}  // namespace
}  // namespace baton::harness
