// Two workers in threads of their own, clients in others, and connections handed back and forth meanwhile: for the
// thread sanitizer, and for what only happens when no side waits for another.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "proxy/worker/testing/loopback.hpp"

namespace baton::proxy {
namespace {

constexpr int clients = 4;
constexpr int rounds = 12;

// A socket whose calls block, but not forever.
class WaitingSocket {
 public:
  explicit WaitingSocket(handoff::UniqueFd socket) : socket_(std::move(socket)) {
    const timeval patience{.tv_sec = 20};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    make_waiting(socket_.get());
  }

  bool send(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t put = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (put <= 0) return false;
      sent += static_cast<std::size_t>(put);
    }
    return true;
  }
  // Reads exactly this many bytes; fewer: the other side has ended.
  std::string receive(std::size_t bytes) {
    while (received_.size() < bytes && receive_some()) {
    }
    return take(std::min(bytes, received_.size()));
  }
  std::string receive_head() {
    std::size_t end;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive_some()) return {};
    }
    return take(end + 4);
  }
  void end() { ::shutdown(socket_.get(), SHUT_WR); }

 private:
  bool receive_some() {
    char bytes[16 * 1024];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (got > 0) received_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::string take(std::size_t bytes) {
    std::string taken = received_.substr(0, bytes);
    received_.erase(0, bytes);
    return taken;
  }

  handoff::UniqueFd socket_;
  std::string received_;
};

std::size_t content_length(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
}

// Echoes what it received, as a response or, after an upgrade, as a stream.
void serve_echo(WaitingSocket socket) {
  for (std::string head; !(head = socket.receive_head()).empty();) {
    if (head.find("websocket") != std::string::npos) {
      socket.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
      for (std::string byte; !(byte = socket.receive(64)).empty();) socket.send(byte);
      socket.end();
      return;
    }
    const std::string body = socket.receive(content_length(head));
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
}

std::string random_bytes(std::mt19937& random, std::size_t bytes_max) {
  std::string bytes(random() % bytes_max, '\0');
  for (char& c : bytes) c = static_cast<char>('a' + random() % 26);
  return bytes;
}

void talk_http(WaitingSocket socket, unsigned seed) {
  std::mt19937 random(seed);
  for (int round = 0; round < rounds; ++round) {
    const std::string body = random_bytes(random, 200'000);
    socket.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string head = socket.receive_head();
    ASSERT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << "round " << round << ": " << head;
    ASSERT_EQ(content_length(head), body.size());
    ASSERT_TRUE(socket.receive(body.size()) == body) << "round " << round;
  }
}

void talk_websocket(WaitingSocket socket, unsigned seed) {
  std::mt19937 random(seed);
  socket.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  ASSERT_TRUE(socket.receive_head().starts_with("HTTP/1.1 101 "));
  for (int round = 0; round < 4 * rounds; ++round) {
    std::string bytes = random_bytes(random, 20'000);
    bytes.resize(bytes.size() / 64 * 64);
    socket.send(bytes);
    ASSERT_TRUE(socket.receive(bytes.size()) == bytes) << "round " << round;
  }
  socket.end();
  ASSERT_EQ(socket.receive(1), "");
}

class InThread {
 public:
  explicit InThread(Worker& worker) : worker_(worker), thread_([&worker] { worker.run(); }) {}
  ~InThread() {
    worker_.loop().stop();
    thread_.join();
  }

 private:
  Worker& worker_;
  std::thread thread_;
};

TEST(LoopbackThreads, HandedToAndFroNothingIsLost) {
  const TestListener front;
  const TestListener origin;
  std::atomic<bool> done = false;
  std::vector<std::thread> origin_threads;
  std::thread accepting([&] {
    while (!done) {
      if (!wait_readable(origin.descriptor(), 20)) continue;
      if (auto socket = origin.accept()) {
        origin_threads.emplace_back([socket = std::move(socket)]() mutable {
          serve_echo(WaitingSocket(std::move(socket)));
        });
      }
    }
  });

  int moves = 0;
  {
    Process first(loopback_settings(origin.address()), 1);
    Process second(loopback_settings(origin.address()), 2);
    Worker* from = &first.worker;
    Worker* to = &second.worker;
    const InThread first_thread(first.worker);
    const InThread second_thread(second.worker);

    std::atomic<int> talking = clients;
    std::vector<std::thread> client_threads;
    for (int i = 0; i < clients; ++i) {
      WaitingSocket socket(front.connect());
      handoff::UniqueFd accepted = front.accept();
      from->loop().call([&] { from->take(std::move(accepted), {.listener = "web"}, {}); });
      client_threads.emplace_back([&talking, i, socket = std::move(socket)]() mutable {
        const auto talk = i % 2 == 0 ? talk_http : talk_websocket;
        talk(std::move(socket), static_cast<unsigned>(i));
        --talking;
      });
    }

    std::mt19937 random(1);
    for (; talking != 0 && moves < 5000; ++moves) {
      const Outcome outcome = random() % 4 == 0 ? Outcome::taken_back : Outcome::adopted;
      move_between_threads(*from, *to, outcome);
      if (outcome == Outcome::adopted) std::swap(from, to);
      // Lets both loops run a turn, so that the connections do more than move.
      for (Worker* worker : {from, to}) worker->loop().call([] {});
    }
    for (std::thread& thread : client_threads) thread.join();
  }
  EXPECT_GT(moves, 10);
  done = true;
  accepting.join();
  for (std::thread& thread : origin_threads) thread.join();
}

}  // namespace
}  // namespace baton::proxy
