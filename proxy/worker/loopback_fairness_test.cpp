// How much one connection gets before others have their turn, and how much the kernel holds for a client that does not
// read: counted in bytes, not in time.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <string>
#include <system_error>

#include "proxy/worker/testing/loopback.hpp"
#include "proxy/worker/testing/loopback_plays.hpp"

namespace baton::proxy {
namespace {

// At most, of a body, for each turn: what is copied, and then one pass through the pipe.
constexpr std::size_t turn_bytes = 64 * 1024 + runtime::Pipe::bytes_max;
constexpr int room_bytes = 200 * 1024;             // asked for in each socket of a peer
const std::string endless_head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";

void require(bool holds, const char* what) {
  if (!holds) throw std::system_error(errno, std::generic_category(), what);
}

void make_room(int socket) { ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof room_bytes); }

// Writes until the socket is full. Returns the number of bytes written.
std::size_t fill(int socket) {
  static const std::string block(16 * 1024, '#');
  std::size_t all = 0;
  for (ssize_t put; (put = ::send(socket, block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;) {
    all += static_cast<std::size_t>(put);
  }
  return all;
}

// Reads everything available. Returns the number of bytes read.
std::size_t drain(int socket) {
  static std::string block(64 * 1024, '\0');
  std::size_t all = 0;
  for (ssize_t got; (got = ::recv(socket, block.data(), block.size(), MSG_DONTWAIT)) > 0;) {
    all += static_cast<std::size_t>(got);
  }
  return all;
}

std::size_t bytes_in(int socket) {
  int bytes = 0;
  require(::ioctl(socket, FIONREAD, &bytes) == 0, "FIONREAD");
  return static_cast<std::size_t>(bytes);
}

// Unix connections are buffered in the writer's socket, so that what the origin sends is available at once.
class UnixOrigin {
 public:
  UnixOrigin() : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    require(::mkdtemp(directory_.data()) != nullptr, "mkdtemp");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    require(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
    require(::listen(socket_.get(), 128) == 0, "listen");
  }
  ~UnixOrigin() {
    ::unlink(path().c_str());
    ::rmdir(directory_.c_str());
  }
  state::SocketAddress address() const { return {.family = state::Family::unix_path, .path = path()}; }
  handoff::UniqueFd accept() const {
    handoff::UniqueFd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) make_room(socket.get());
    return socket;
  }

 private:
  std::string path() const { return directory_ + "/origin"; }
  std::string directory_ = "/tmp/baton-fairness-XXXXXX";
  handoff::UniqueFd socket_;
};

class Fairness : public testing::Test {
 protected:
  struct Download {
    handoff::UniqueFd client;
    handoff::UniqueFd origin;
  };

  // A client whose socket the worker has.
  handoff::UniqueFd connect() {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    make_room(ends[0]);
    process.worker.take(handoff::UniqueFd(ends[0]), {.listener = "web"}, {});
    return handoff::UniqueFd(ends[1]);
  }
  static void ask(const handoff::UniqueFd& client) {
    const std::string words = request("GET /");
    require(::send(client.get(), words.data(), words.size(), MSG_NOSIGNAL) > 0, "send");
  }
  handoff::UniqueFd await_origin() {
    for (int i = 0; i < 1000; ++i) {
      if (auto socket = origin.accept()) return socket;
      process.worker.loop().run_one(10);
    }
    ADD_FAILURE() << "no request came to the origin";
    return {};
  }
  // The head of an endless response has come.
  Download begin_download() {
    Download download{.client = connect(), .origin = {}};
    ask(download.client);
    download.origin = await_origin();
    require(::send(download.origin.get(), endless_head.data(), endless_head.size(), MSG_NOSIGNAL) > 0, "send");
    while (drain(download.client.get()) == 0) process.worker.loop().run_one(10);
    drain(download.origin.get());
    return download;
  }

  const UnixOrigin origin;
  Process process{loopback_settings(origin.address()), 1};
};

TEST_F(Fairness, OneTurnMovesABoundedNumberOfBytes) {
  const Download download = begin_download();
  while (process.worker.loop().run_one(0)) {
  }
  const std::size_t sent = fill(download.origin.get());
  ASSERT_GT(sent, turn_bytes) << "the sockets have too little room for this test";
  std::size_t received = 0, most = 0;
  for (int i = 0; i < 1000 && received < sent; ++i) {
    process.worker.loop().run_one(0);
    most = std::max(most, bytes_in(download.client.get()));
    received += drain(download.client.get());
  }
  EXPECT_EQ(received, sent);
  EXPECT_LE(most, turn_bytes);
}

// All other clients always have more to receive, and room for it.
TEST_F(Fairness, ANewcomerWaitsForABoundedNumberOfBytes) {
  constexpr std::size_t others = 40;
  constexpr int newcomers = 25;
  std::list<Download> downloads;
  for (std::size_t i = 0; i < others; ++i) downloads.push_back(begin_download());
  const auto one_event = [&] {
    std::size_t bytes = 0;
    for (const Download& one : downloads) fill(one.origin.get());
    process.worker.loop().run_one(0);
    for (const Download& one : downloads) bytes += drain(one.client.get());
    return bytes;
  };
  for (std::size_t i = 0; i < 5 * others; ++i) one_event();
  std::size_t most = 0;
  for (int i = 0; i < newcomers; ++i) {
    const handoff::UniqueFd newcomer = connect();
    ask(newcomer);
    std::size_t before_it = 0;
    handoff::UniqueFd its_origin;
    for (int event = 0; event < 1000 && !its_origin; ++event) {
      before_it += one_event();
      its_origin = origin.accept();
    }
    ASSERT_TRUE(its_origin);
    most = std::max(most, before_it);
    for (int event = 0; event < i; ++event) one_event();      // so that the next one arrives at a different moment
  }
  EXPECT_LE(most, (runtime::Loop::turns_per_round + 1) * turn_bytes);
}

TEST_F(Fairness, LittleWaitsInTheKernelForAClientThatDoesNotRead) {
  const handoff::UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  require(::listen(listening.get(), 8) == 0, "listen");       // on a free port
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  require(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0, "getsockname");
  process.worker.accept_on({{.listener = "web", .descriptor = listening.get()}});
  Download download;
  download.client = handoff::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  require(::connect(download.client.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0, "connect");
  ask(download.client);
  download.origin = await_origin();
  require(::send(download.origin.get(), endless_head.data(), endless_head.size(), MSG_NOSIGNAL) > 0, "send");
  std::size_t sent = 0;
  for (int quiet = 0; quiet < 20;) {
    const std::size_t went = fill(download.origin.get());
    sent += went;
    quiet = process.worker.loop().run_one(5) || went != 0 ? 0 : quiet + 1;
  }
  EXPECT_LE(sent, std::size_t{1} << 20) << "on both sides of the proxy, and in it";
}

}  // namespace
}  // namespace baton::proxy
