#include "harness/load_origin.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <string_view>
#include <utility>

namespace baton::harness {

namespace {

constexpr std::string_view head_end = "\r\n\r\n";

void watch(const Fd& epoll, const Fd& fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd.get();
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event);
}

}  // namespace

LoadOrigin::LoadOrigin(std::string answer, std::function<void(std::uint64_t)> before_answer)
    : answer_(std::move(answer)),
      before_answer_(std::move(before_answer)),
      listener_(listen_on(address_)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  watch(epoll_, listener_);
  watch(epoll_, stop_);
  thread_ = std::thread([this] { serve(); });
}

LoadOrigin::~LoadOrigin() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void LoadOrigin::serve() {
  epoll_event events[64];
  while (true) {
    const int count = ::epoll_wait(epoll_.get(), events, 64, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_.get()) return;
      if (fd == listener_.get()) {
        accept();
      } else if (const auto found = connections_.find(fd); !answer(found->second)) {
        connections_.erase(found);
      }
    }
  }
}

void LoadOrigin::accept() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return;
  watch(epoll_, socket);
  const int fd = socket.get();
  connections_.emplace(fd, Connection{std::move(socket)});
}

bool LoadOrigin::answer(Connection& connection) {
  char piece[16 * 1024];
  const ssize_t got = ::recv(connection.socket.get(), piece, sizeof piece, 0);
  if (got <= 0) return false;
  std::string answers;
  for (const char byte : std::string_view(piece, static_cast<std::size_t>(got))) {
    connection.matched = byte == head_end[connection.matched] ? connection.matched + 1 : byte == '\r' ? 1 : 0;
    if (connection.matched < head_end.size()) continue;
    connection.matched = 0;
    const std::uint64_t request = ++requests_;
    if (before_answer_) before_answer_(request);
    answers += answer_;
  }
  // A client that does not read would block all others, but a load has no such client.
  return ::send(connection.socket.get(), answers.data(), answers.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(answers.size());
}

}  // namespace baton::harness
