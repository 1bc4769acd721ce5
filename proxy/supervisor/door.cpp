#include "proxy/supervisor/door.hpp"

#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace baton::supervisor {

namespace {

// A hung supervisor must not delay a worker's start for longer.
constexpr timeval knock_limit{.tv_sec = 1, .tv_usec = 0};

int option_of(int socket, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

}  // namespace

Door make_door() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make the door for workers");
  }
  return {handoff::UniqueFd(ends[0]), handoff::UniqueFd(ends[1])};
}

handoff::UniqueFd bring_line(int door) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return {};
  handoff::UniqueFd line(ends[0]);
  const handoff::UniqueFd theirs(ends[1]);
  char mark = 0;
  iovec piece{&mark, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &ends[1], sizeof(int));
  ::setsockopt(door, SOL_SOCKET, SO_SNDTIMEO, &knock_limit, sizeof knock_limit);
  (void)::sendmsg(door, &message, MSG_NOSIGNAL);      // a failure shows on the line itself
  return line;
}

std::optional<Newcomer> let_in(int door) {
  char mark;
  iovec piece{&mark, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(door, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0) return std::nullopt;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr || rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN(sizeof(int))) return std::nullopt;
  int number;
  std::memcpy(&number, CMSG_DATA(rights), sizeof number);
  Newcomer newcomer{.line = handoff::UniqueFd(number)};
  if (!is_unix_socket(number, SOCK_STREAM)) return std::nullopt;
  newcomer.pid = maker_of(number);
  return newcomer;
}

pid_t maker_of(int socket) {
  ucred maker{};
  socklen_t length = sizeof maker;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &maker, &length) == 0 ? maker.pid : 0;
}

bool is_unix_socket(int descriptor, int type) {
  return option_of(descriptor, SO_DOMAIN) == AF_UNIX && option_of(descriptor, SO_TYPE) == type;
}

}  // namespace baton::supervisor
