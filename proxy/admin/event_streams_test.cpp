// What the clients of event streams get, from one process after the other.
#include "proxy/admin/event_streams.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace baton::admin {
namespace {

using handoff::UniqueFd;
using testing::ElementsAre;
using testing::IsEmpty;

// One client: the other end of a stream.
class Follower {
 public:
  explicit Follower(EventStreams& streams) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      throw std::runtime_error("pair");
    socket_ = UniqueFd(ends[0]);
    streams.add(UniqueFd(ends[1]));
  }

  void read(std::size_t bytes_max = 1 << 24) {
    std::vector<char> piece(64 * 1024);
    for (std::size_t got = 0; got < bytes_max;) {
      const ssize_t count = ::recv(socket_.get(), piece.data(), std::min(piece.size(), bytes_max - got), MSG_DONTWAIT);
      if (count == 0) has_ended_ = true;
      if (count <= 0) return;
      text_.append(piece.data(), static_cast<std::size_t>(count));
      got += static_cast<std::size_t>(count);
    }
  }
  // The names of the events so far, and "retry". Each must be whole.
  std::vector<std::string> take() {
    read();
    std::vector<std::string> names;
    for (std::size_t end; (end = text_.find("\n\n")) != std::string::npos; text_.erase(0, end + 2)) {
      const std::string one = text_.substr(0, end);
      if (one == "retry: 500") {
        names.emplace_back("retry");
        continue;
      }
      const std::size_t line = one.find("\ndata: ");
      EXPECT_TRUE(one.starts_with("event: ") && line != std::string::npos &&
                  one.find('\n', line + 1) == std::string::npos)
          << one;
      names.push_back(one.substr(7, line - 7) + (one.starts_with("event: upgrade") ? one.substr(line + 7) : ""));
    }
    EXPECT_EQ(text_, "") << "half an event";
    return names;
  }
  // Bytes that the events before ended with, and half an event.
  const std::string& text() const { return text_; }
  bool has_ended() {
    read();
    return has_ended_;
  }
  void leave() { socket_.reset(); }

 private:
  UniqueFd socket_;
  std::string text_;
  bool has_ended_ = false;
};

struct Process {
  Process()
      : streams(context, {[this](auto answer) { collect(std::move(answer)); }, [] { return std::string("{}"); }}) {}

  void collect(std::function<void(Status)> answer) {
    ++collections;
    if (answers_later) {
      waiting = std::move(answer);
    } else {
      answer({});
    }
  }
  void run() {
    context.restart();
    context.poll();
  }

  boost::asio::io_context context;
  int collections = 0;
  bool answers_later = false;
  std::function<void(Status)> waiting;
  EventStreams streams;
};

std::vector<handoff::InheritedSocket> sent(const std::vector<handoff::OfferedSocket>& offered) {
  std::vector<handoff::InheritedSocket> sockets;
  for (const auto& one : offered) {
    sockets.push_back({one.name, one.address, UniqueFd(::fcntl(one.descriptor, F_DUPFD_CLOEXEC, 3))});
  }
  return sockets;
}

// A predecessor and its successor, between which the streams move.
class TwoProcesses : public testing::Test {
 protected:
  TwoProcesses() { before.streams.begin_turn(); }

  void offer() {
    auto sockets = sent(before.streams.offer(100));
    after.streams.inherit(sockets);
  }

  Process before;
  Process after;
};

TEST(EventStreams, BeginWithTheStatusAndTheHistory) {
  Process process;
  process.streams.begin_turn();
  EXPECT_EQ(process.collections, 0) << "there is no stream";
  Follower client(process.streams);
  EXPECT_THAT(client.take(), ElementsAre("retry", "history", "status"));
  process.streams.tell_upgrade(R"({"event":"ready"})");
  process.streams.tell_history();
  EXPECT_THAT(client.take(), ElementsAre(R"(upgrade{"event":"ready"})", "history"));
}

TEST(EventStreams, ShareOneCollection) {
  Process process;
  process.answers_later = true;
  process.streams.begin_turn();
  Follower one(process.streams);
  Follower two(process.streams);
  EXPECT_EQ(process.collections, 1);
  process.waiting({});
  EXPECT_THAT(one.take(), ElementsAre("retry", "history", "status"));
  EXPECT_THAT(two.take(), ElementsAre("retry", "history", "status"));
  // And then one a second, as long as there is a stream.
  process.answers_later = false;
  process.context.restart();
  process.context.run_one();
  EXPECT_EQ(process.collections, 2);
  EXPECT_THAT(one.take(), ElementsAre("status"));
  EXPECT_THAT(two.take(), ElementsAre("status"));
  one.leave();
  two.leave();
  process.context.restart();
  process.context.run();  // ends, since nothing waits any more
  EXPECT_EQ(process.collections, 2);
}

TEST(EventStreams, HaveABoundOfTheirOwn) {
  Process process;
  process.streams.begin_turn();
  std::vector<std::optional<Follower>> clients(EventStreams::streams_max);
  for (auto& client : clients) {
    EXPECT_TRUE(process.streams.has_room(true));
    client.emplace(process.streams);
  }
  EXPECT_FALSE(process.streams.has_room(true));
  EXPECT_TRUE(process.streams.has_room(false)) << "clients over TCP have places of their own";
  clients[3]->leave();
  process.run();
  EXPECT_TRUE(process.streams.has_room(true));
}

TEST(EventStreams, LoseEventsOfASlowReaderAndNoMemory) {
  Process process;
  process.streams.begin_turn();
  Follower client(process.streams);
  const std::string line(100'000, 'x');
  for (int i = 0; i < 1000; ++i) process.streams.tell_upgrade(line);
  for (std::size_t before = 0, now = 1; now != before; now = client.text().size()) {
    before = client.text().size();
    client.read();
    process.run();
  }
  const std::size_t events = client.take().size();
  EXPECT_GT(events, 3u);
  EXPECT_LT(events, 20u);
  process.streams.tell_upgrade("goes on");
  EXPECT_THAT(client.take(), ElementsAre("upgradegoes on"));
}

TEST_F(TwoProcesses, MoveWithAnUpgrade) {
  Follower client(before.streams);
  (void)client.take();
  offer();
  before.streams.tell_upgrade("moving");
  EXPECT_THAT(client.take(), ElementsAre("upgrademoving"));
  before.streams.put_token();
  before.streams.tell_upgrade("too late");
  before.streams.tell_history();
  EXPECT_THAT(client.take(), IsEmpty());
  after.streams.begin_turn();
  before.streams.leave();
  EXPECT_THAT(client.take(), ElementsAre("status", "history"));
  after.streams.tell_upgrade("result");
  EXPECT_THAT(client.take(), ElementsAre("upgraderesult"));
  EXPECT_FALSE(client.has_ended());
  client.leave();
  after.run();
  EXPECT_TRUE(after.streams.offer(100).empty()) << "a client that has gone is noticed here, too";
}

TEST_F(TwoProcesses, StayIfTheSuccessorFailsBefore) {
  Follower client(before.streams);
  (void)client.take();
  offer();
  after.streams.leave();
  before.streams.withdraw_offer();
  before.streams.tell_upgrade("failed");
  EXPECT_THAT(client.take(), ElementsAre("upgradefailed"));
  EXPECT_FALSE(client.has_ended());
}

TEST_F(TwoProcesses, ComeBackFromASuccessorThatHasNotBegun) {
  Follower client(before.streams);
  (void)client.take();
  offer();
  before.streams.put_token();
  after.streams.leave();
  before.streams.begin_turn();
  EXPECT_THAT(client.take(), ElementsAre("status", "history"));
  EXPECT_FALSE(client.has_ended());
}

// It may have died in the middle of an event.
TEST_F(TwoProcesses, EndWithASuccessorThatHasBegun) {
  Follower client(before.streams);
  offer();
  before.streams.put_token();
  after.streams.begin_turn();
  (void)client.take();
  before.streams.begin_turn();
  EXPECT_TRUE(client.has_ended());
  EXPECT_THAT(client.take(), IsEmpty());
}

TEST_F(TwoProcesses, EndWithAPredecessorThatHasNotEndedItsTurn) {
  Follower client(before.streams);
  (void)client.take();
  offer();
  after.streams.begin_turn();
  EXPECT_TRUE(client.has_ended());
  EXPECT_THAT(client.take(), IsEmpty());
}

TEST_F(TwoProcesses, EndIfTheSuccessorDoesNotKnowThem) {
  Follower client(before.streams);
  (void)client.take();
  auto sockets = sent(before.streams.offer(100));
  before.streams.put_token();
  sockets.clear();
  before.streams.leave();
  EXPECT_TRUE(client.has_ended());
}

TEST_F(TwoProcesses, EndIfTheyWereOpenedTooLate) {
  Follower client(before.streams);
  offer();
  Follower late(before.streams);
  (void)late.take();
  before.streams.put_token();
  EXPECT_TRUE(late.has_ended());
  Follower too_late(before.streams);
  EXPECT_THAT(too_late.take(), ElementsAre("retry"));
  EXPECT_TRUE(too_late.has_ended());
  after.streams.begin_turn();
  EXPECT_FALSE(client.has_ended());
}

TEST_F(TwoProcesses, EndInTheMiddleOfAnEventThatDoesNotGoOut) {
  Follower slow(before.streams);
  Follower quick(before.streams);
  (void)quick.take();
  offer();
  const std::string line(100'000, 'x');
  for (int i = 0; i < 100; ++i) {
    before.streams.tell_upgrade(line);
    (void)quick.take();
  }
  before.streams.put_token();
  after.streams.begin_turn();
  EXPECT_THAT(quick.take(), ElementsAre("status", "history"));
  slow.read();
  EXPECT_TRUE(slow.has_ended());
  EXPECT_FALSE(slow.text().ends_with("\n\n")) << "this test needs an event that was not sent whole";
}

TEST_F(TwoProcesses, AreNotOfferedToASuccessorThatTakesFewSockets) {
  Follower one(before.streams);
  Follower two(before.streams);
  EXPECT_EQ(before.streams.offer(3).size(), 3u);
  EXPECT_TRUE(before.streams.offer(2).empty());
}

}  // namespace
}  // namespace baton::admin
