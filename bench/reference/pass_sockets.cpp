// What it costs to pass bare sockets from one process to another: out of an epoll, through SCM_RIGHTS in batches of 64,
// into another epoll. Argument: how many. Prints the CPU time of both processes for each, in microseconds.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t batch = 64;

int require(long result, const char* what) {
  if (result >= 0) return static_cast<int>(result);
  std::perror(what);
  std::exit(1);
}

struct Message {
  std::array<char, 16> text{};
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(batch * sizeof(int))> rights{};
  msghdr head{nullptr, 0, &part, 1, rights.data(), rights.size(), 0};
};

void send_all(int channel, int loop, const std::vector<int>& sockets) {
  for (std::size_t at = 0; at < sockets.size(); at += batch) {
    const std::size_t count = std::min(batch, sockets.size() - at);
    Message message;
    message.head.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message.head);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    std::memcpy(CMSG_DATA(header), &sockets[at], count * sizeof(int));
    for (std::size_t i = at; i < at + count; ++i) ::epoll_ctl(loop, EPOLL_CTL_DEL, sockets[i], nullptr);
    require(::sendmsg(channel, &message.head, 0), "sendmsg");
    for (std::size_t i = at; i < at + count; ++i) ::close(sockets[i]);
  }
}

void receive_all(int channel, int loop, std::size_t count) {
  while (count != 0) {
    Message message;
    require(::recvmsg(channel, &message.head, MSG_CMSG_CLOEXEC), "recvmsg");
    const cmsghdr* const header = CMSG_FIRSTHDR(&message.head);
    if (header == nullptr) std::exit(1);
    const std::size_t got = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < got; ++i) {
      epoll_event event{};
      event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      std::memcpy(&event.data.fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      require(::epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event), "epoll_ctl");
    }
    count -= got;
  }
}

double cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

int main(int, char** arguments) {
  const auto count = static_cast<std::size_t>(std::atoi(arguments[1]));
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  require(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), "bind");
  require(::listen(listener, 4096), "listen");
  require(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  const pid_t clients = require(::fork(), "fork");
  if (clients == 0) {
    for (std::size_t i = 0; i < count; ++i) {
      require(::connect(require(::socket(AF_INET, SOCK_STREAM, 0), "socket"), reinterpret_cast<sockaddr*>(&address),
                        length),
              "connect");
    }
    ::pause();
  }
  const int loop = ::epoll_create1(0);
  std::vector<int> sockets;
  int channel[2], told[2];
  require(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel), "socketpair");
  require(::pipe(told), "pipe");
  const pid_t successor = require(::fork(), "fork");
  if (successor == 0) {
    const int its_loop = ::epoll_create1(0);
    const double before_us = cpu_us();
    receive_all(channel[1], its_loop, count);
    const double spent_us = cpu_us() - before_us;
    require(::write(told[1], &spent_us, sizeof spent_us), "write");
    std::_Exit(0);
  }
  while (sockets.size() < count) {
    sockets.push_back(require(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4"));
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    require(::epoll_ctl(loop, EPOLL_CTL_ADD, sockets.back(), &event), "epoll_ctl");
  }
  const double before_us = cpu_us();
  send_all(channel[0], loop, sockets);
  double spent_us = cpu_us() - before_us, its_us = 0;
  require(::read(told[0], &its_us, sizeof its_us), "read");
  ::kill(clients, SIGKILL);
  while (::wait(nullptr) > 0) {
  }
  std::printf("%.3f\n", (spent_us + its_us) / static_cast<double>(count));
}
