#include "systemd/notify_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sstream>

namespace baton::harness {

namespace {

struct Name {
  sockaddr_un address{};
  socklen_t length = 0;

  explicit Name(const std::string& text) {
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, text.data(), text.size());
    if (text.front() == '@') address.sun_path[0] = '\0';
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

bool is_readable(int fd, int timeout_ms) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, timeout_ms) > 0;
}

}  // namespace

bool Notification::says(const std::string& assignment) const {
  return ("\n" + text + "\n").find("\n" + assignment + "\n") != std::string::npos;
}

std::optional<std::string> Notification::value(const std::string& variable) const {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(variable + "=")) return line.substr(variable.size() + 1);
  }
  return std::nullopt;
}

NotifySocket::NotifySocket(Kind kind)
    : address_(kind == Kind::abstract ? "@baton-test" + directory_.path() : directory_ / "notify"),
      socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  const Name name(address_);
  const int on = 1;
  if (::bind(socket_.get(), name.get(), name.length) != 0 ||
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    throw Failure("no notify socket at " + address_ + ": " + std::strerror(errno));
  }
}

Notification NotifySocket::next(Milliseconds limit) {
  if (!is_readable(socket_.get(), Deadline(limit).poll_ms())) throw Failure("nothing more was said to the service manager");
  char bytes[4097];                          // systemd accepts one page
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec piece{bytes, sizeof bytes};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
  if (got < 0 || got > 4096) throw Failure("a message that systemd would not take");
  const cmsghdr* credentials = CMSG_FIRSTHDR(&header);
  if (credentials == nullptr || credentials->cmsg_type != SCM_CREDENTIALS) throw Failure("a message from nobody");
  ucred who{};
  std::memcpy(&who, CMSG_DATA(credentials), sizeof who);
  return {who.pid, std::string(bytes, static_cast<std::size_t>(got))};
}

Notification NotifySocket::next_that_says(const std::string& assignment) {
  const Deadline deadline;
  std::string passed_over;
  while (!deadline.passed()) {
    try {
      Notification message = next(Milliseconds(deadline.poll_ms()));
      if (message.says(assignment)) return message;
      passed_over += message.text + "\n";
    } catch (const Failure&) {
      break;
    }
  }
  throw Failure("nobody said " + assignment + " to the service manager, but\n" + passed_over);
}

bool NotifySocket::has_more() const { return is_readable(socket_.get(), 0); }

void NotifySocket::fill() const {
  const Fd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const Name name(address_);
  while (::sendto(sender.get(), "x", 1, 0, name.get(), name.length) == 1) continue;
  if (errno != EAGAIN) throw Failure(std::string("the queue is not full but: ") + std::strerror(errno));
}

}  // namespace baton::harness
