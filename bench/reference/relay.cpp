// The least that a relay does for a message: waits, reads and sends. What Baton's tunnels are compared with; it knows
// nothing of slow receivers, of ends in one direction, or of limits. Its argument is a file: our port, and the
// origin's.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int require(int result, const char* what) {
  if (result >= 0) return result;
  std::perror(what);
  std::exit(1);
}

}  // namespace

int main(int, char** arguments) {
  std::uint16_t port = 0, origin_port = 0;
  std::ifstream(arguments[1]) >> port >> origin_port;
  const sockaddr_in ours = loopback(port), origin = loopback(origin_port);
  const int on = 1;
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  require(::bind(listener, reinterpret_cast<const sockaddr*>(&ours), sizeof ours), "bind");
  require(::listen(listener, 4096), "listen");
  const int loop = ::epoll_create1(0);
  std::vector<int> other_side(20'000);  // by descriptor
  const auto watch = [&](int socket) {
    epoll_event event{};
    event.events = socket == listener ? EPOLLIN : EPOLLIN | EPOLLET;
    event.data.fd = socket;
    require(::epoll_ctl(loop, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
  };
  watch(listener);
  static char bytes[64 * 1024];
  for (;;) {
    epoll_event events[256];
    const int count = ::epoll_wait(loop, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int from = events[i].data.fd;
      if (from == listener) {
        const int client = require(::accept4(listener, nullptr, nullptr, 0), "accept4");
        const int server = ::socket(AF_INET, SOCK_STREAM, 0);
        require(::connect(server, reinterpret_cast<const sockaddr*>(&origin), sizeof origin), "connect");
        for (const int socket : {client, server}) {
          ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          other_side[static_cast<std::size_t>(socket)] = socket == client ? server : client;
          watch(socket);
        }
        continue;
      }
      const int to = other_side[static_cast<std::size_t>(from)];
      if (to == 0) continue;  // closed by an earlier event of this round
      const ssize_t got = ::recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got > 0 && ::send(to, bytes, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got) continue;
      if (got < 0) continue;
      for (const int socket : {from, to}) {
        other_side[static_cast<std::size_t>(socket)] = 0;
        ::close(socket);
      }
    }
  }
}
