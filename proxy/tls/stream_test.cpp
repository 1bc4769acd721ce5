// A leg with TLS over a real socket: its handshake, its ends, and being frozen.
#include "proxy/tls/stream.hpp"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "proxy/tls/self_test.hpp"
#include "proxy/tls/server_context.hpp"
#include "proxy/tls/testing/leg.hpp"

namespace baton::tls {
namespace {

using runtime::Io;
using test::Peer;

class StreamTest : public testing::TestWithParam<bool>, public runtime::SocketOwner {
 protected:
  void on_ready(runtime::Socket&) override {}

  void SetUp() override {
    run_self_test();
    static const test::Issued identity = test::issue({.names = "DNS:a.example"});
    ours = make_context(is_client ? TLS_client_method() : TLS_server_method(), config::TlsMinimum::tls12);
    SSL_CTX_set_session_cache_mode(ours.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    theirs = test::context_of(is_client ? TLS_server_method() : TLS_client_method());
    test::identify(is_client ? theirs.get() : ours.get(), identity);
    peer = std::make_unique<Peer>(theirs.get());
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    their_socket = handoff::UniqueFd(ends[1]);
    stream = std::make_unique<Stream>(loop, handoff::UniqueFd(ends[0]), *this);
    ASSERT_TRUE(stream->watch());
    leg.tls.emplace();
    if (is_client) stream->connect(SslPtr(SSL_new(ours.get())), nullptr, &sessions);
  }

  void run_events() {
    while (loop.run_one(0)) {
    }
  }
  // Sends the peer's output into the socket, and feeds it what the socket has. True: bytes moved.
  bool exchange() {
    const std::string bytes = peer->take();
    if (!bytes.empty()) {
      EXPECT_EQ(::send(their_socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    char piece[64 * 1024];
    const ssize_t got = ::recv(their_socket.get(), piece, sizeof piece, 0);
    if (got > 0) peer->put({piece, static_cast<std::size_t>(got)});
    they_saw_end = they_saw_end || got == 0;
    run_events();
    return !bytes.empty() || got > 0;
  }
  Stream::Shake shake_hands() {
    Stream::Shake shake = Stream::Shake::waiting;
    while (shake == Stream::Shake::waiting) {
      shake = stream->shake(leg, ours.get());
      peer->shake();
      if (!exchange() && shake == Stream::Shake::waiting) break;
    }
    peer->shake();                   // with our last flight
    exchange();
    return shake;
  }
  // Reads the next bytes, however many come.
  std::string receive() {
    std::string all;
    while (stream->readable(leg) && !leg.read_ended) {
      last = stream->receive(leg, 16 * 1024);
      all += leg.unread.view();
      leg.unread.clear();
      if (last != Io::done) break;
    }
    return all;
  }
  void send(std::string_view text) {
    leg.unsent.append(text);
    while (stream->has_to_send(leg) && stream->send(leg, 1) == Io::done) {
    }
  }

  const bool is_client = GetParam();
  runtime::Loop loop;
  test::Sessions sessions;
  SslCtxPtr ours;
  SslCtxPtr theirs;
  std::unique_ptr<Peer> peer;
  handoff::UniqueFd their_socket;
  std::unique_ptr<Stream> stream;
  state::Leg leg;
  Io last = Io::would_block;
  bool they_saw_end = false;
};
INSTANTIATE_TEST_SUITE_P(TLS, StreamTest, testing::Bool(),
                         [](const auto& from) { return from.param ? "client" : "server"; });

TEST_P(StreamTest, PassesPlainBytesBothWays) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done) << stream->failure() << peer->failure();
  peer->write("to us");
  exchange();
  EXPECT_EQ(receive(), "to us");
  send("to them");
  exchange();
  EXPECT_EQ(peer->read(), "to them");
}

TEST_P(StreamTest, TellsAnEndInGoodOrderFromAnInterruption) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  peer->write("the last");
  peer->end();
  exchange();
  EXPECT_EQ(receive(), "the last");
  EXPECT_TRUE(leg.read_ended && leg.tls->close_received && !leg.is_truncated());
  leg.read_ended = leg.tls->close_received = false;
  ::shutdown(their_socket.get(), SHUT_WR);
  run_events();
  EXPECT_EQ(receive(), "");
  EXPECT_EQ(last, Io::ended);
}

TEST_P(StreamTest, EndsItsOwnDirectionWhenAllIsSent) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  leg.unsent.append(std::string(20'000, 'x'));
  stream->end_writing(leg);
  EXPECT_FALSE(leg.all_sent());
  send("");
  EXPECT_TRUE(leg.all_sent());
  EXPECT_FALSE(stream->has_to_send(leg));
  exchange();
  EXPECT_EQ(peer->read().size(), 20'000U);
  EXPECT_TRUE(peer->saw_end());
  exchange();
  EXPECT_TRUE(they_saw_end) << "FIN comes after close_notify";
  peer->write("still heard");
  exchange();
  EXPECT_EQ(receive(), "still heard");
}

TEST_P(StreamTest, SaysGoodbyeBeforeItIsClosedUnlessSomethingIsUnsent) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  leg.unsent.append("cut");
  stream->say_goodbye(leg);
  exchange();
  EXPECT_EQ(peer->read(), "");
  EXPECT_FALSE(peer->saw_end()) << "an interruption must look like one";
  leg.unsent.clear();
  stream->say_goodbye(leg);
  exchange();
  (void)peer->read();
  EXPECT_TRUE(peer->saw_end());
}

TEST_P(StreamTest, AnswersWhatIsForgedWithAnAlertAndReadsNoMore) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  peer->write("good");
  std::string bytes = peer->take();
  peer->write("forged");
  bytes += peer->take();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  ASSERT_EQ(::send(their_socket.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  run_events();
  (void)receive();
  EXPECT_EQ(last, Io::failed);
  EXPECT_EQ(stream->failure(), "a record that cannot be decrypted");
  exchange();
  (void)peer->read();
  EXPECT_NE(peer->failure().find("alert bad record mac"), std::string::npos) << peer->failure();
}

TEST_P(StreamTest, AHandshakeThatFailsLeavesItsReasonAndAnAlert) {
  SSL_set_max_proto_version(peer->ssl(), TLS1_1_VERSION);
  SSL_set_security_level(peer->ssl(), 0);
  EXPECT_EQ(shake_hands(), Stream::Shake::failed);
  EXPECT_NE(stream->failure().find("protocol"), std::string::npos) << stream->failure();
  exchange();
  peer->shake();
  EXPECT_NE(peer->failure().find("protocol"), std::string::npos) << peer->failure();
}

TEST_P(StreamTest, AServersLegIsAHelloOnlyAsLongAsNothingIsBoundToACertificate) {
  if (is_client) return;
  const auto stage_after = [&](std::string_view bytes) {
    EXPECT_EQ(::send(their_socket.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    run_events();
    EXPECT_EQ(stream->shake(leg, ours.get()), Stream::Shake::waiting);
    return leg.tls->stage;
  };
  EXPECT_EQ(stage_after(std::string("\x16\x03\x01\x40\x00\x01", 6)), state::TlsStage::hello);
  EXPECT_EQ(stage_after(std::string("\x00\xa0\x00", 3)), state::TlsStage::handshake) << "longer than is waited for";
}

TEST_P(StreamTest, AnIdleLegIsQuietUntilSomethingComesThatMatters) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  EXPECT_TRUE(stream->is_quiet(leg, 1));
  peer->update_keys(true);
  if (is_client) {
    SSL_new_session_ticket(peer->ssl());
    peer->shake();
  }
  exchange();
  EXPECT_TRUE(stream->is_quiet(leg, 1)) << "keys and tickets mean nothing to whoever uses it";
  exchange();
  EXPECT_EQ(sessions.kept.empty(), !is_client);
  peer->write("x");
  exchange();
  EXPECT_FALSE(stream->is_quiet(leg, 1));
}

TEST_P(StreamTest, AnIdleLegThatEndsIsNotQuiet) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  peer->end();
  exchange();
  EXPECT_FALSE(stream->is_quiet(leg, 1));
}

TEST_P(StreamTest, FrozenAtAnyByteOfItsRecordsItGoesOnFromItsState) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  peer->write("to us");
  const std::string bytes = peer->take();
  std::string got;
  for (const char byte : bytes) {
    stream->freeze();
    const state::Leg moved = leg;
    ASSERT_EQ(::send(their_socket.get(), &byte, 1, 0), 1);
    leg = moved;
    ASSERT_TRUE(stream->watch());
    run_events();
    got += receive();
  }
  EXPECT_EQ(got, "to us");
  send("to them");
  exchange();
  EXPECT_EQ(peer->read(), "to them");
}

using StreamDeathTest = StreamTest;
INSTANTIATE_TEST_SUITE_P(TLS, StreamDeathTest, testing::Bool(),
                         [](const auto& from) { return from.param ? "client" : "server"; });

TEST_P(StreamDeathTest, NothingIsSealedOrOpenedWhileFrozen) {
  ASSERT_EQ(shake_hands(), Stream::Shake::done);
  peer->write("to us");
  exchange();
  stream->freeze();
  leg.unsent.append("to them");
  EXPECT_DEATH((void)stream->send(leg, 1), "a frozen TLS leg is being used");
  EXPECT_DEATH((void)stream->receive(leg, 1), "a frozen TLS leg is being used");
  EXPECT_DEATH((void)stream->shake(leg, ours.get()), "a frozen TLS leg is being used");
  stream->say_goodbye(leg);
  EXPECT_TRUE(leg.tls->sealed.empty()) << "closing is no use of it";
}

// The kernel reports a reset once; the next process would then read a clean end.
TEST_P(StreamTest, AResetThatSendingHasFoundIsKnownWhereverTheLegGoesOn) {
  const handoff::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  handoff::UniqueFd ours_end(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(ours_end.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  const int theirs_end = ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(theirs_end, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(theirs_end);

  state::Leg plain;
  plain.unsent.append("x");
  Stream predecessor(loop, handoff::UniqueFd(::fcntl(ours_end.get(), F_DUPFD_CLOEXEC, 3)), *this);
  EXPECT_EQ(predecessor.send(plain, 0), Io::failed);
  predecessor.freeze();
  Stream successor(loop, std::move(ours_end), *this);
  ASSERT_TRUE(successor.watch());
  EXPECT_EQ(successor.receive(plain, 100), Io::failed);
}

}  // namespace
}  // namespace baton::tls
