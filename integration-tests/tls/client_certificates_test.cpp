// client_auth, and the field that tells the origin who the client is: only we may set it.
#include <gtest/gtest.h>

#include "harness/baton.hpp"
#include "harness/origin.hpp"
#include "harness/tls_client.hpp"

namespace baton::harness {
namespace {

constexpr int alert_handshake_failure = 40, alert_unknown_ca = 48, alert_certificate_required = 116;

class ClientCertificates : public testing::TestWithParam<int> {
 protected:
  Settings settings(const std::string& client_auth) {
    Settings settings(origin.address());
    settings.tls = "certificates: [ " + authority.issue({"localhost"}).yaml() + " ], client_auth: " + client_auth;
    if (client_auth != "off") settings.tls += ", client_ca: " + authority.path();
    settings.more_listeners = "  - { name: plain, bind: \"" + plain.text() + "\" }\n";
    return settings;
  }
  TlsOptions as(const Certificate& certificate) const { return {.version = GetParam(), .certificate = certificate}; }

  // Every field of that name, or of a name that an application may take for it.
  std::string subjects_seen(Client& client, const std::string& fields = "") {
    client.get("/echo", fields);
    std::string seen;
    for (const auto& [name, value] : origin.last_request().fields) {
      std::string spelled = name;
      for (char& c : spelled) c = c == '_' ? '-' : static_cast<char>(std::tolower(c));
      if (spelled == "x-forwarded-client-subject") seen += "[" + value + "]";
    }
    return seen;
  }

  TempDir directory;
  Authority authority{directory};
  Authority stranger{directory, "stranger"};
  const Certificate alice = authority.issue_to("Alice");
  const Certificate mallory = stranger.issue_to("Mallory");
  const Address plain = loopback(free_port());
  Origin origin;
};

TEST_P(ClientCertificates, RequiredMeansOneOfOurs) {
  Baton baton(settings("required"));
  TlsClient good(baton.address(), as(alice));
  EXPECT_EQ(subjects_seen(good), "[CN=Alice]");
  const auto refusal = [&](const TlsOptions& options) {
    TlsClient client(baton.address(), options, TlsClient::Handshake::later);
    try {
      client.shake_hands();
    } catch (const Failure&) {
      // In TLS 1.2 the client's handshake fails; in TLS 1.3 the connection fails after it.
    }
    return client.await_alert();
  };
  EXPECT_EQ(refusal({GetParam()}), GetParam() == TLS1_3_VERSION ? alert_certificate_required : alert_handshake_failure);
  EXPECT_EQ(refusal(as(mallory)), alert_unknown_ca);
  EXPECT_EQ(origin.requests().size(), 1u);
}

TEST_P(ClientCertificates, OptionalMeansOneOfOursOrNone) {
  Baton baton(settings("optional"));
  TlsClient known(baton.address(), as(alice)), unknown(baton.address(), {GetParam()});
  EXPECT_EQ(subjects_seen(known), "[CN=Alice]");
  EXPECT_EQ(subjects_seen(unknown), "");
  TlsClient other(baton.address(), as(mallory), TlsClient::Handshake::later);
  EXPECT_EQ((other.send_raw(other.next_flight()), other.take_flight(), other.send_raw(other.next_flight()),
             other.await_alert()),
            alert_unknown_ca);
}

TEST_P(ClientCertificates, TheSubjectStaysWithTheConnectionAndTheSession) {
  Baton baton(settings("required"));
  TlsClient client(baton.address(), as(alice));
  EXPECT_EQ(subjects_seen(client), "[CN=Alice]");
  baton.upgrade();
  EXPECT_EQ(subjects_seen(client), "[CN=Alice]");
  baton.upgrade();
  EXPECT_EQ(subjects_seen(client), "[CN=Alice]");
  TlsClient resumed(baton.address(), {.version = GetParam(), .session = client.session().get()});
  EXPECT_TRUE(resumed.resumed());
  EXPECT_EQ(subjects_seen(resumed), "[CN=Alice]") << "its certificate was verified when the session began";
}

TEST_P(ClientCertificates, NobodyForgesTheSubject) {
  const std::string forgeries[] = {
      "X-Forwarded-Client-Subject: CN=Root\r\n",
      "x_forwarded_client_subject: CN=Root\r\n",
      "X-Forwarded_Client-Subject: CN=Root\r\n",
      "X-FORWARDED-CLIENT-SUBJECT: CN=Root\r\nX-Forwarded-Client-Subject: CN=Root\r\n",
      "Connection: X-Forwarded-Client-Subject\r\n",
      "Connection: keep-alive, x-forwarded-client-subject\r\nX-Forwarded-Client-Subject: CN=Root\r\n",
      "Connection: x_forwarded_client_subject\r\nX_Forwarded_Client_Subject: CN=Root\r\n",
  };
  Baton baton(settings("optional"));
  TlsClient known(baton.address(), as(alice)), unknown(baton.address(), {GetParam()});
  Client without_tls(plain);
  for (int upgrades = 0; upgrades < 2; ++upgrades) {
    for (const std::string& fields : forgeries) {
      EXPECT_EQ(subjects_seen(known, fields), "[CN=Alice]") << fields;
      EXPECT_EQ(subjects_seen(unknown, fields), "") << fields;
      EXPECT_EQ(subjects_seen(without_tls, fields), "") << fields;
    }
    baton.upgrade();
  }
}

TEST_P(ClientCertificates, OffMeansThatNobodyIsAsked) {
  Baton baton(settings("off"));
  TlsClient client(baton.address(), as(alice));
  EXPECT_EQ(subjects_seen(client, "X-Forwarded-Client-Subject: CN=Root\r\n"), "");
  EXPECT_EQ(origin.last_request().field("X-Forwarded-Proto"), "https");
  Client without_tls(plain);
  without_tls.get("/echo", "X-Forwarded-Proto: https\r\n");
  EXPECT_EQ(origin.last_request().field("X-Forwarded-Proto"), "http");
}

INSTANTIATE_TEST_SUITE_P(Versions, ClientCertificates, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& one) { return one.param == TLS1_2_VERSION ? "Tls12" : "Tls13"; });

}  // namespace
}  // namespace baton::harness
