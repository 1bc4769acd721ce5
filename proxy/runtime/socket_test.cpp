#include "proxy/runtime/socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string>

#include "proxy/runtime/testing/tcp_pair.hpp"

namespace baton::runtime {
namespace {

// A TCP connection over loopback: our end in a loop, and the other side's descriptor.
class Connected : public testing::Test, public SocketOwner {
 protected:
  Connected() : socket(std::make_unique<Socket>(loop, std::move(pair.ours), *this)) {
    EXPECT_TRUE(socket->watch());
    run_events();
  }

  void on_ready(Socket&) override { ++ready; }

  void run_events() {
    while (loop.run_one(0)) {
    }
  }
  void peer_sends(const std::string& bytes) {
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    run_events();
  }
  void peer_resets() {
    pair.reset_peer();
    run_events();
  }
  // The result of the other side's next read: bytes, 0 for EOF, or -1 and errno.
  ssize_t peer_reads() {
    char byte;
    return ::recv(peer.get(), &byte, 1, 0);
  }
  handoff::UniqueFd copy() const { return handoff::UniqueFd(::fcntl(socket->descriptor(), F_DUPFD_CLOEXEC, 3)); }

  Loop loop;
  TcpPair pair;
  handoff::UniqueFd& peer = pair.peer;
  std::unique_ptr<Socket> socket;
  state::Buffer received;
  int ready = 0;
};

TEST_F(Connected, KnowsFromAShortReadThatNothingIsLeft) {
  EXPECT_FALSE(socket->readable());
  peer_sends("hello");
  EXPECT_TRUE(socket->readable());
  EXPECT_EQ(socket->receive(received, 3), Io::done);
  EXPECT_EQ(received.view(), "hel");
  EXPECT_TRUE(socket->readable()) << "all that was asked for came, so there may be more";
  EXPECT_EQ(socket->receive(received, 100), Io::done);
  EXPECT_EQ(received.view(), "hello");
  EXPECT_FALSE(socket->readable());
  EXPECT_EQ(socket->receive(received, 100), Io::would_block);
  peer_sends("!");
  EXPECT_TRUE(socket->readable());
}

TEST_F(Connected, SeesAnEndThatCameTogetherWithTheLastBytes) {
  ASSERT_EQ(::send(peer.get(), "bye", 3, MSG_NOSIGNAL), 3);
  ::shutdown(peer.get(), SHUT_WR);
  run_events();
  EXPECT_EQ(socket->receive(received, 100), Io::done);
  EXPECT_TRUE(socket->readable()) << "no further event will tell of the end";
  EXPECT_EQ(socket->receive(received, 100), Io::ended);
  EXPECT_EQ(received.view(), "bye");
}

TEST_F(Connected, TellsAResetFromAnEnd) {
  peer_resets();
  EXPECT_TRUE(socket->broken());
  EXPECT_TRUE(socket->readable());
  EXPECT_EQ(socket->receive(received, 100), Io::failed);
}

TEST_F(Connected, TellsAResetFromAnEndAlsoWhenSendingHasFoundItFirst) {
  peer_resets();
  state::Buffer bytes;
  bytes.append("x");
  EXPECT_EQ(socket->send(bytes), Io::failed);
  EXPECT_TRUE(socket->readable());
  EXPECT_TRUE(socket->was_reset());
}

TEST_F(Connected, KnowsFromAPartialWriteThatThereIsNoRoom) {
  state::Buffer bytes;
  bytes.append(std::string(64 << 20, 'b'));
  const std::size_t all = bytes.size();
  while (socket->writable()) ASSERT_NE(socket->send(bytes), Io::failed);
  EXPECT_FALSE(bytes.empty());
  run_events();
  EXPECT_FALSE(socket->writable());
  std::size_t got = 0;
  std::string some(1 << 20, '\0');
  while (got < all) {
    const ssize_t now = ::recv(peer.get(), some.data(), some.size(), 0);
    ASSERT_GT(now, 0);
    got += static_cast<std::size_t>(now);
    run_events();
    while (socket->writable() && !bytes.empty()) ASSERT_NE(socket->send(bytes), Io::failed);
  }
  EXPECT_TRUE(bytes.empty());
  EXPECT_TRUE(socket->writable());
}

TEST_F(Connected, IsNotToldOfRoomThatItTakesForGranted) {
  EXPECT_EQ(ready, 0) << "its first event says that there is room";
  socket->unwatch();
  ASSERT_TRUE(socket->watch());
  socket->note_writable(false);  // as for one that still connects
  run_events();
  EXPECT_EQ(ready, 1);
  EXPECT_TRUE(socket->writable());
  peer_sends("x");
  EXPECT_EQ(ready, 2) << "with bytes it says something new";
}

TEST_F(Connected, ClosingEndsNothingWhileAnotherProcessHoldsACopy) {
  const handoff::UniqueFd elsewhere = copy();
  socket->close();
  ASSERT_EQ(::send(elsewhere.get(), "x", 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(peer_reads(), 1);
}

TEST_F(Connected, ClosingASharedOneEndsItForTheOtherSide) {
  const handoff::UniqueFd elsewhere = copy();
  socket->note_shared();
  socket->close();
  EXPECT_EQ(peer_reads(), 0);
}

TEST_F(Connected, ClosesByReset) {
  socket->close_with_reset();
  EXPECT_EQ(peer_reads(), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(Connected, ClosesASharedOneByReset) {
  const handoff::UniqueFd elsewhere = copy();
  socket->note_shared();
  socket->close_with_reset();
  EXPECT_EQ(peer_reads(), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(Connected, EndsItsOwnSideOnly) {
  socket->end_writing();
  EXPECT_EQ(peer_reads(), 0);
  peer_sends("still");
  EXPECT_EQ(socket->receive(received, 100), Io::done);
  EXPECT_EQ(received.view(), "still");
}

TEST_F(Connected, IsQuietWhileItIsOpenAndNothingCame) {
  EXPECT_TRUE(socket->is_quiet());
  peer_sends("x");
  EXPECT_FALSE(socket->is_quiet());
  EXPECT_EQ(socket->receive(received, 100), Io::done);
  EXPECT_TRUE(socket->is_quiet());
  peer.reset();
  EXPECT_FALSE(socket->is_quiet());
}

TEST_F(Connected, HearsNothingWhileItIsUnwatchedAndEverythingAfterwards) {
  socket->unwatch();
  ready = 0;
  peer_sends("x");
  EXPECT_EQ(ready, 0);
  EXPECT_FALSE(socket->readable());
  ASSERT_TRUE(socket->watch());
  run_events();
  EXPECT_GT(ready, 0);
  EXPECT_TRUE(socket->readable());
}

TEST_F(Connected, GivesItsDescriptorAwayOpen) {
  const handoff::UniqueFd descriptor = socket->release();
  socket.reset();
  ASSERT_EQ(::send(descriptor.get(), "x", 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(peer_reads(), 1);
}

}  // namespace
}  // namespace baton::runtime
