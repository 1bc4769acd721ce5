// A listener with a certificate, for tests of its TLS.
#pragma once

#include <gtest/gtest.h>

#include "proxy/tls/self_test.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/tls/testing/leg.hpp"

namespace baton::tls {

inline const test::Issued& some_certificate() {
  static const test::Issued issued = test::issue({.names = "DNS:a.example"}, &test::authority());
  return issued;
}

class ServerContextTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { EXPECT_TRUE(run_self_test().empty()); }

  ServerContextTest() { listener.certificates.push_back(files.write("some", some_certificate())); }

  void require_clients() {
    listener.client_auth = config::ClientAuth::required;
    listener.client_ca = files.write("ca.pem", test::authority().certificate_pem());
  }

  test::Files files;
  config::ListenerTls listener;
  TicketKeys tickets;
};

}  // namespace baton::tls
