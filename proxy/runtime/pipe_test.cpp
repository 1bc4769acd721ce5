#include "proxy/runtime/pipe.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "proxy/runtime/testing/tcp_pair.hpp"

namespace baton::runtime {
namespace {

bool is_memory_short = false;
[[maybe_unused]] const bool is_source = [] {
  state::memory::set_source(
      {.take = [](std::size_t bytes, std::size_t) { return is_memory_short ? nullptr : std::malloc(bytes); },
       .give = [](void* memory, std::size_t) noexcept { std::free(memory); },
       .each_block = true});
  return true;
}();

class Passing : public testing::Test, public SocketOwner {
 protected:
  Passing() { ::signal(SIGPIPE, SIG_IGN); }  // as a process does that splices
  void on_ready(Socket&) override {}

  void run_events() {
    while (loop.run_one(0)) {
    }
  }
  void sender_sends(const std::string& bytes) {
    ASSERT_EQ(::send(sender.peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    run_events();
  }
  std::string receiver_gets() {
    std::string all(1 << 20, '\0');
    std::size_t got = 0;
    for (ssize_t one; (one = ::recv(receiver.peer.get(), all.data() + got, all.size() - got, MSG_DONTWAIT)) > 0;) {
      got += static_cast<std::size_t>(one);
    }
    all.resize(got);
    return all;
  }
  Pipe::Passed pass(std::size_t bytes) { return pipe->pass(*from, *to, bytes, rest); }
  static std::string text(std::size_t bytes) {
    std::string text;
    for (int i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ",";
    text.resize(bytes);
    return text;
  }
  std::unique_ptr<Socket> watched(handoff::UniqueFd fd) {
    auto socket = std::make_unique<Socket>(loop, std::move(fd), *this);
    EXPECT_TRUE(socket->watch());
    run_events();
    return socket;
  }

  Loop loop;
  TcpPair sender, receiver;
  std::unique_ptr<Socket> from = watched(std::move(sender.ours));
  std::unique_ptr<Socket> to = watched(std::move(receiver.ours));
  std::optional<Pipe> pipe = Pipe::open();
  state::Buffer rest;
};

TEST_F(Passing, MovesWhatIsThereAndNoMoreThanItIsTold) {
  sender_sends(text(50'000));
  EXPECT_EQ(pass(20'000).bytes, 20'000U);
  EXPECT_EQ(receiver_gets(), text(50'000).substr(0, 20'000));
  const Pipe::Passed passed = pass(100'000);
  EXPECT_EQ(passed.bytes, 30'000U);
  EXPECT_EQ(receiver_gets(), text(50'000).substr(20'000));
  EXPECT_TRUE(rest.empty());
}

TEST_F(Passing, NothingThereIsLeftToReceive) {
  from->note_readable();
  const Pipe::Passed passed = pass(100);
  EXPECT_EQ(passed.bytes, 0U);
  EXPECT_FALSE(passed.failed);
  EXPECT_TRUE(from->readable());
  state::Buffer read;
  EXPECT_EQ(from->receive(read, 100), Io::would_block);
}

// At an urgent byte splice moves nothing, as if nothing were there.
TEST_F(Passing, BytesBehindAnUrgentOneAreLeftToReceive) {
  sender_sends("before");
  ASSERT_EQ(::send(sender.peer.get(), "!", 1, MSG_OOB), 1);
  sender_sends("behind");
  EXPECT_EQ(pass(100).bytes, 6U);
  EXPECT_EQ(pass(100).bytes, 0U);
  EXPECT_TRUE(from->readable());
  state::Buffer read;
  EXPECT_EQ(from->receive(read, 100), Io::done);
  EXPECT_EQ(read.view(), "behind");
}

TEST_F(Passing, WhatTheReceiverDoesNotTakeIsReadBack) {
  const std::string all = text(3'000'000);
  const int little = 64 * 1024;
  ::setsockopt(receiver.peer.get(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
  ::setsockopt(to->descriptor(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
  std::size_t sent = 0;
  std::string got;
  for (int i = 0; i < 1000 && rest.empty(); ++i) {
    const ssize_t put = ::send(sender.peer.get(), all.data() + sent, all.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put > 0) sent += static_cast<std::size_t>(put);
    run_events();
    pass(Pipe::bytes_max);
  }
  ASSERT_FALSE(rest.empty()) << "the receiver took " << sent;
  EXPECT_FALSE(to->writable());
  EXPECT_LT(rest.size(), Pipe::bytes_max);
  while (got += receiver_gets(), run_events(), !rest.empty()) to->send(rest);
  got += receiver_gets();
  EXPECT_EQ(got, all.substr(0, got.size()));
  sender.peer.reset();
  run_events();
  while (pass(Pipe::bytes_max).bytes != 0) got += receiver_gets();
  EXPECT_EQ(got.size(), sent);
  EXPECT_TRUE(got == all.substr(0, sent));
}

// What comes back is copied twice and held in memory, so the room is asked for first.
TEST_F(Passing, LittleComesBackFromAFullReceiver) {
  const auto comes_back = [this] {
    const std::string block = text(64 * 1024);
    for (int i = 0; i < 10'000 && rest.empty(); ++i) {
      while (::send(sender.peer.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
      }
      run_events();
      pass(Pipe::bytes_max);
    }
    EXPECT_FALSE(rest.empty());
    return rest.size();
  };
  const int unsent = Socket::unsent_bytes;
  ::setsockopt(to->descriptor(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  EXPECT_LE(comes_back(), 64U * 1024) << "TCP";
  rest.clear();
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  receiver.peer = handoff::UniqueFd(ends[0]);
  to = watched(handoff::UniqueFd(ends[1]));
  EXPECT_LE(comes_back(), 64U * 1024) << "a Unix socket";
}

TEST_F(Passing, AnEndIsLeftToReceive) {
  sender_sends("last words");
  ::shutdown(sender.peer.get(), SHUT_WR);
  run_events();
  EXPECT_EQ(pass(100).bytes, 10U);
  EXPECT_EQ(pass(100).bytes, 0U);
  EXPECT_TRUE(from->readable());
  state::Buffer read;
  EXPECT_EQ(from->receive(read, 100), Io::ended);
}

TEST_F(Passing, AResetIsAFailure) {
  sender.reset_peer();
  run_events();
  EXPECT_TRUE(pass(100).failed);
}

TEST_F(Passing, WhatCannotBeSentIsKeptAndTheNextSendSaysWhy) {
  sender_sends(text(20'000));
  receiver.reset_peer();
  run_events();
  const Pipe::Passed passed = pass(20'000);
  EXPECT_EQ(passed.bytes, 20'000U);
  EXPECT_EQ(rest.size(), 20'000U);
  EXPECT_TRUE(to->writable());
  EXPECT_EQ(to->send(rest), Io::failed);
  EXPECT_TRUE(to->was_reset());
}

TEST_F(Passing, ASocketIsBulkyWhileAReadFindsMoreThanItTakes) {
  sender_sends(text(200'000));
  state::Buffer read;
  EXPECT_EQ(from->receive(read, 20'000), Io::done);
  EXPECT_TRUE(from->is_bulky());
  EXPECT_EQ(pass(100'000).bytes, 100'000U);
  EXPECT_TRUE(from->is_bulky());
  EXPECT_EQ(pass(20'000).bytes, 20'000U);
  EXPECT_TRUE(from->is_bulky());
  while (pass(100'000).bytes != 0) {
  }
  EXPECT_FALSE(from->is_bulky());
  sender_sends(text(20'000));
  read.clear();
  EXPECT_EQ(from->receive(read, 100'000), Io::done);
  EXPECT_EQ(read.size(), 20'000U);
  EXPECT_FALSE(from->is_bulky()) << "it found all that was there";
}

TEST_F(Passing, WithoutMemoryForTheRestTheBytesAreLostAndNobodyElseGetsThem) {
  sender_sends(text(60'000));
  ::shutdown(to->descriptor(), SHUT_WR);  // so that nothing can be sent
  is_memory_short = true;
  EXPECT_THROW(pass(60'000), std::bad_alloc);
  is_memory_short = false;
  sender_sends("next");
  const Pipe::Passed passed = pass(100);
  EXPECT_EQ(passed.bytes, 4U);
  EXPECT_EQ(rest.view(), "next");
}

}  // namespace
}  // namespace baton::runtime
