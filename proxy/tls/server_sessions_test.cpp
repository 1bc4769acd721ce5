// Sessions of a listener's clients: when they are resumed, and by which process.
#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>

#include "proxy/tls/suites.hpp"
#include "proxy/tls/testing/server_context.hpp"

namespace baton::tls {
namespace {

using config::ClientAuth;
using test::Ours;
using test::Peer;
using testing::HasSubstr;

class ServerSessions : public ServerContextTest, public testing::WithParamInterface<int> {
 protected:
  ServerSessions() {
    theirs = test::context_of(TLS_client_method(), GetParam());
    test::identify(theirs.get(), client);
  }

  // Connects with the last session, if any, and keeps the new one. True: the session was resumed.
  bool connect(const ServerContext& context) {
    Ours ours(context.get());
    Peer peer(theirs.get());
    if (session) SSL_set_session(peer.ssl(), session.get());
    test::shake_hands(ours, peer);
    EXPECT_TRUE(ours.is_done()) << ours.handshake.failure() << peer.failure();
    EXPECT_TRUE(test::understand(ours, peer));
    EXPECT_EQ(ours.tls().facts.resumed, SSL_session_reused(peer.ssl()) == 1);
    subject = ours.tls().facts.client_subject;
    got_another = SSL_get0_session(peer.ssl()) != session.get();
    session.reset(SSL_get1_session(peer.ssl()));
    return ours.tls().facts.resumed;
  }
  bool resumed_by(const ServerContext& context, SSL_SESSION* with) {
    SSL_SESSION_up_ref(with);
    session.reset(with);
    return connect(context);
  }

  const test::Issued client = test::issue({.common_name = "bob"}, &test::authority());
  SslCtxPtr theirs;
  SessionPtr session;
  std::string subject;
  bool got_another = false;  // a ticket other than the one presented
};
INSTANTIATE_TEST_SUITE_P(TLS, ServerSessions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& from) { return from.param == TLS1_2_VERSION ? "1_2" : "1_3"; });

TEST_P(ServerSessions, AreResumedAgainAndAgain) {
  const ServerContext context(listener, "web", tickets);
  EXPECT_FALSE(connect(context));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(connect(context));
    // Each TLS 1.3 ticket is used once (RFC 8446 §C.4), so every resumption brings another.
    EXPECT_EQ(got_another, GetParam() == TLS1_3_VERSION);
  }
}

TEST_P(ServerSessions, AreResumedOnlyWhereAFullHandshakeWouldComeToTheSame) {
  const ServerContext web(listener, "web", tickets);
  const ServerContext other(listener, "other", tickets);
  require_clients();
  const ServerContext closed(listener, "web", tickets);
  listener.client_auth = ClientAuth::optional;
  const ServerContext half_closed(listener, "web", tickets);
  listener.client_auth = ClientAuth::required;
  listener.client_ca = files.write(
      "ca2.pem", test::authority().certificate_pem() + test::issue({.is_authority = true}).certificate_pem());
  const ServerContext closed_by_another(listener, "web", tickets);

  const ServerContext* const all[] = {&web, &other, &closed, &half_closed, &closed_by_another};
  for (const ServerContext* made : all) {
    session.reset();
    EXPECT_FALSE(connect(*made));
    const SessionPtr first = std::move(session);
    for (const ServerContext* shown : all) {
      EXPECT_EQ(resumed_by(*shown, first.get()), made == shown);
      EXPECT_EQ(subject, shown == &web || shown == &other ? "" : "CN=bob") << "resumed or not";
    }
  }
}

TEST_P(ServerSessions, AreResumedWhateverTheOrderOfWhatIsAllowed) {
  listener.ciphers = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"};
  // A suite with another hash cannot resume (RFC 8446 §4.2.11).
  listener.ciphersuites = {"TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"};
  const ServerContext before(listener, "web", tickets);
  std::ranges::reverse(listener.ciphers);
  std::ranges::reverse(listener.ciphersuites);
  const ServerContext reordered(listener, "web", tickets);
  listener.ciphers.pop_back();
  listener.ciphersuites.pop_back();
  const ServerContext narrower(listener, "web", tickets);
  EXPECT_FALSE(connect(before));
  const SessionPtr first = std::move(session);
  EXPECT_TRUE(resumed_by(reordered, first.get()));
  EXPECT_FALSE(resumed_by(narrower, first.get()));
}

TEST_P(ServerSessions, AreResumedByASuccessorThatHasTheKeys) {
  {
    const ServerContext context(listener, "web", tickets);
    EXPECT_FALSE(connect(context));
  }
  TicketKeys inherited;
  {
    const ServerContext stranger(listener, "web", inherited);
    const SessionPtr before = SessionPtr(SSL_SESSION_dup(session.get()));
    EXPECT_FALSE(connect(stranger)) << "it has keys of its own";
    ASSERT_TRUE(inherited.restore(tickets.save(0).view(), 0));
    EXPECT_TRUE(resumed_by(stranger, before.get()));
  }
}

TEST_P(ServerSessions, AreResumedForALifetimeAfterTheKeyHasChanged) {
  const ServerContext context(listener, "web", tickets);
  EXPECT_FALSE(connect(context));
  const SessionPtr first(SSL_SESSION_dup(session.get()));
  tickets.rotate_if_due(1);
  tickets.rotate_if_due(1 + session_lifetime_s * 1000);
  EXPECT_TRUE(resumed_by(context, first.get()));
  EXPECT_TRUE(got_another) << "under the new key";
  const SessionPtr second(SSL_SESSION_dup(session.get()));
  tickets.rotate_if_due(1 + 2 * session_lifetime_s * 1000);
  EXPECT_TRUE(resumed_by(context, second.get()));
  EXPECT_FALSE(resumed_by(context, first.get()));
}

TEST_P(ServerSessions, AreNotKeptWithoutTickets) {
  listener.session_tickets = false;
  const ServerContext context(listener, "web", tickets);
  EXPECT_FALSE(connect(context));
  EXPECT_FALSE(connect(context));
}

// ── Clients ───────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_P(ServerSessions, AreNotForAClientWhoseSubjectIsTooLong) {
  require_clients();
  const ServerContext context(listener, "web", tickets);
  const auto subject_bytes = [&](unsigned units) -> std::size_t {
    const test::Issued long_one = test::issue({.common_name = "bob", .units = units}, &test::authority());
    const SslCtxPtr of_client = test::context_of(TLS_client_method(), GetParam());
    test::identify(of_client.get(), long_one);
    Ours ours(context.get());
    Peer peer(of_client.get());
    test::shake_hands(ours, peer);
    if (ours.is_done()) return ours.tls().facts.client_subject.size();
    EXPECT_THAT(ours.handshake.failure(), HasSubstr("the subject of the certificate is longer than 8 KiB"));
    return 0;
  };
  constexpr std::size_t unit_bytes = sizeof "OU=," - 1 + 63;
  EXPECT_EQ(subject_bytes(120), std::size_t{6} + 120 * unit_bytes);
  EXPECT_EQ(subject_bytes(130), 0u);
  EXPECT_EQ(subject_bytes(500), 0u);
}

}  // namespace
}  // namespace baton::tls
