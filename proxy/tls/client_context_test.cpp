// The terms under which connections to servers are made. Reusing a connection and resuming a session depend on them.
#include "proxy/tls/client_context.hpp"

#include <gtest/gtest.h>

#include "proxy/tls/testing/certificates.hpp"

namespace baton::tls {
namespace {

class Terms : public testing::Test {
 protected:
  std::string terms() const { return ClientContext(tls_).terms(); }

  test::Files files_;
  config::UpstreamTls tls_{.ca = files_.write("ca.pem", test::authority().certificate_pem())};
  const std::string before_ = terms();
};

TEST_F(Terms, StayTheSameWhileNothingChanges) { EXPECT_EQ(terms(), before_); }

// A new CA replaces the old one: connections that the old one vouched for are not used any more.
TEST_F(Terms, ChangeWithTheContentsOfTheCa) {
  tls_.ca = files_.write("ca.pem", test::issue({.common_name = "Another", .is_authority = true}).certificate_pem());
  EXPECT_NE(terms(), before_);
}

TEST_F(Terms, ChangeWithOurCertificateAndItsContents) {
  const auto certificate_of = [&](const char* name) {
    return files_.write("client", test::issue({.common_name = name}, &test::authority()));
  };
  tls_.certificate = certificate_of("alice");
  const std::string of_alice = terms();
  EXPECT_NE(of_alice, before_);
  tls_.certificate = certificate_of("bob");
  EXPECT_NE(terms(), of_alice);
}

TEST_F(Terms, ChangeWithVerificationNameAndVersion) {
  tls_.verify = false;
  EXPECT_NE(terms(), before_);
  tls_.verify = true;
  tls_.server_name = "other.example";
  EXPECT_NE(terms(), before_);
  tls_.server_name.clear();
  tls_.min_version = config::TlsMinimum::tls13;
  EXPECT_NE(terms(), before_);
}

}  // namespace
}  // namespace baton::tls
