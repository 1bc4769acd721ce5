// How the admin interface accepts: pauses, too many clients, too few descriptors. Everything runs in one thread, so a
// test controls the order of events.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/asio/executor_work_guard.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <vector>

#include "proxy/admin/admin.hpp"
#include "proxy/admin/testing/client.hpp"

namespace baton::admin {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view health = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

// True if any epoll instance of this process watches the descriptor.
bool is_watched(int descriptor) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry, error) != "anon_inode:[eventpoll]") continue;
    std::ifstream info("/proc/self/fdinfo/" + entry.path().filename().string());
    for (std::string word; info >> word;) {
      int watched = -1;
      if (word == "tfd:" && info >> watched && watched == descriptor) return true;
    }
  }
  return false;
}

class Accepting : public testing::Test {
 protected:
  Accepting() { admin->listen(make_listener(AF_UNIX)); }

  void replace_admin(const Limits& limits) {
    admin.emplace(context, source(), limits);
    admin->listen(make_listener(AF_UNIX));
  }
  Client connect() const { return Client(admin->listener()); }
  // Until nothing is left to do at once; timers keep waiting.
  void settle() {
    while (context.poll() > 0) {
    }
  }

  // Returns when no handler waits any more.
  void run_out() {
    guard.reset();
    context.run();
  }
  // Runs the server until it has answered.
  Client::Response receive(Client& client) {
    while (!client.is_readable()) context.run_one_for(10ms);
    return client.receive();
  }

  std::vector<std::function<void(const Status&)>> asked;  // requests for the status that have not been answered
  boost::asio::io_context context{1};
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> guard{
      boost::asio::make_work_guard(context)};  // without it, a context that ran out of work stays stopped
  std::optional<Admin> admin{std::in_place, context, source()};

 private:
  Source source() {
    return {[] { return true; }, [this](auto answer) { asked.push_back(std::move(answer)); }};
  }
};

TEST_F(Accepting, MakesTheSocketNonBlocking) {
  EXPECT_NE(::fcntl(admin->listener(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(Accepting, IsOffDuringAPauseAndTheSocketIsInNoEpollThen) {
  EXPECT_TRUE(is_watched(admin->listener()));
  admin->pause();
  EXPECT_FALSE(is_watched(admin->listener()));
  Client client = connect();
  client.send(health);
  while (context.poll() > 0) {
  }
  EXPECT_FALSE(client.is_readable());
  const handoff::UniqueFd accepted(::accept(admin->listener(), nullptr, nullptr));
  EXPECT_TRUE(accepted) << "the client is left to whoever shares the socket";

  Client next = connect();
  next.send(health);
  admin->resume();
  EXPECT_TRUE(is_watched(admin->listener()));
  EXPECT_EQ(receive(next).result_int(), 200u);
}

TEST_F(Accepting, APauseTakesEffectAlsoWhenAClientIsHereAlready) {
  Client client = connect();
  client.send(health);
  admin->pause();
  admin->resume();
  admin->pause();
  while (context.poll() > 0) {
  }
  EXPECT_FALSE(client.is_readable());
  admin->resume();
  admin->resume();
  EXPECT_EQ(receive(client).result_int(), 200u);
}

TEST_F(Accepting, ARequestThatIsBeingAnsweredIsFinishedDuringAPause) {
  Client client = connect();
  client.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
  while (asked.empty()) context.run_one();
  admin->pause();
  asked.front()(Status{});
  const auto response = receive(client);
  EXPECT_EQ(response.result_int(), 200u);
  EXPECT_FALSE(response.keep_alive());
}

TEST_F(Accepting, AStatusThatDoesNotComeIsA503AndMayComeLater) {
  replace_admin({.exchange = 300ms});
  Client client = connect();
  client.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(receive(client).result_int(), 503u);
  asked.front()(Status{});
  client.send(health);
  EXPECT_EQ(receive(client).result_int(), 200u);
}

TEST_F(Accepting, AStatusMayComeWhenTheAdminIsGone) {
  Client client = connect();
  client.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
  while (asked.empty()) context.run_one();
  admin.reset();
  asked.front()(Status{});
  run_out();
  EXPECT_TRUE(client.has_ended());
}

TEST_F(Accepting, TheAdminsEndClosesEverythingAtOnce) {
  const Client in_backlog = connect();
  Client idle = connect();
  idle.send(health);
  EXPECT_EQ(receive(idle).result_int(), 200u);
  const int listener = admin->listener();
  admin.reset();
  EXPECT_EQ(::fcntl(listener, F_GETFD), -1);
  EXPECT_TRUE(idle.has_ended());
  run_out();
}

TEST_F(Accepting, OneTooManyTakesThePlaceOfTheLongestIdle) {
  replace_admin({.connections = 2});
  Client first = connect();
  first.send(health);
  EXPECT_EQ(receive(first).result_int(), 200u);
  Client second = connect();
  second.send(health);
  EXPECT_EQ(receive(second).result_int(), 200u);
  Client third = connect();
  third.send(health);
  EXPECT_EQ(receive(third).result_int(), 200u);
  EXPECT_TRUE(first.has_ended());
  second.send(health);
  EXPECT_EQ(receive(second).result_int(), 200u);
}

TEST_F(Accepting, OneTooManyWaitsWhileNobodyIsIdle) {
  replace_admin({.connections = 2});
  Client first = connect();
  Client second = connect();
  first.send("GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  second.send("GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  while (asked.size() < 2) context.run_one();
  Client third = connect();
  third.send(health);
  while (context.poll() > 0) {
  }
  EXPECT_FALSE(third.is_readable());
  asked.front()(Status{});
  EXPECT_EQ(receive(third).result_int(), 200u);
  asked.back()(Status{});
  EXPECT_EQ(receive(first).result_int(), 200u);
  EXPECT_EQ(receive(second).result_int(), 200u);
}

// A health check must not depend on what other clients do.
TEST_F(Accepting, SilentOnesMakeRoomAtOnce) {
  admin->listen(make_listener(AF_INET));
  Client asking = connect();
  asking.send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
  while (asked.empty()) context.run_one();
  std::vector<Client> silent;
  for (int i = 0; i < 400; ++i) {
    silent.push_back(connect());
    if (i % 2 == 0) silent.back().send("GET /healthz HTTP/1.1\r\n");
    settle();
  }
  Client client = connect();
  client.send(health);
  settle();
  ASSERT_TRUE(client.is_readable());
  EXPECT_EQ(client.receive().result_int(), 200u);
  asked.front()(Status{});
  EXPECT_EQ(receive(asking).result_int(), 200u) << "who is being answered is no silent one";
}

TEST_F(Accepting, WhoDoesNotReadItsAnswersMakesRoomToo) {
  replace_admin({.connections = 1, .expected = 0ms});
  Client deaf = connect();
  const std::string many = [] {
    std::string requests;
    for (int i = 0; i < 1000; ++i) requests += health;
    return requests;
  }();
  deaf.shorten_reading();
  for (int i = 0; i < 100; ++i) {
    if (!deaf.send_what_goes(many)) break;
    settle();
  }
  Client client = connect();
  client.send(health);
  settle();
  ASSERT_TRUE(client.is_readable());
  EXPECT_EQ(client.receive().result_int(), 200u);
}

TEST_F(Accepting, WhoCrowdsATcpAddressLeavesThePlacesOfTheUnixSocketFree) {
  replace_admin({.connections = 2});
  admin->listen(make_listener(AF_INET));
  std::vector<Client> crowd;
  for (std::size_t i = 0; i < 2; ++i) {
    crowd.push_back(connect());
    crowd.back().send("GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    while (asked.size() <= i) context.run_one();
  }
  admin->listen(make_listener(AF_UNIX));
  Client client = connect();
  client.send(health);
  settle();
  ASSERT_TRUE(client.is_readable());
  EXPECT_EQ(client.receive().result_int(), 200u);
}

TEST_F(Accepting, ManyAtOnceAreAllServedThoughTheyAreMoreThanThePlaces) {
  replace_admin({.connections = 4});
  std::vector<Client> clients;
  for (int i = 0; i < 40; ++i) {
    clients.push_back(connect());
    clients.back().send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  }
  for (Client& client : clients) EXPECT_EQ(receive(client).result_int(), 200u);
}

TEST_F(Accepting, WithoutADescriptorItWaitsInsteadOfSpinning) {
  Client client = connect();
  client.send(health);
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  const handoff::UniqueFd next_free(::dup(admin->listener()));
  const rlimit none{static_cast<rlim_t>(next_free.get()), usual.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const std::size_t handlers = context.run_one() + context.poll();
  ::setrlimit(RLIMIT_NOFILE, &usual);
  EXPECT_LE(handlers, 2u);
  EXPECT_FALSE(client.is_readable());
  EXPECT_EQ(receive(client).result_int(), 200u);
}

}  // namespace
}  // namespace baton::admin
