#include "proxy/runtime/socket.hpp"

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace baton::runtime {

namespace {

// recv(2) and send(2) without libc's wrappers: those are cancellation points, which costs a hundred instructions with
// each call once there are threads.
ssize_t receive_from(int descriptor, char* at, std::size_t bytes) {
  return ::syscall(SYS_recvfrom, descriptor, at, bytes, 0, nullptr, nullptr);
}
ssize_t send_to(int descriptor, const char* from, std::size_t bytes) {
  return ::syscall(SYS_sendto, descriptor, from, bytes, MSG_NOSIGNAL, nullptr, 0);
}

// Errors of splice(2) that say nothing about the connection.
bool is_for_now(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == ENOMEM || error == ENOBUFS;
}
bool is_impossible(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS || error == EINVAL || error == EOPNOTSUPP;
}

}  // namespace

void keep_alive(int descriptor, int idle_s) {
  const int on = idle_s != 0 ? 1 : 0;
  const int probes = 4;
  const int interval_s = std::max(1, idle_s / probes);
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (on == 0) return;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

bool Socket::watch() {
  if (!watched_) watched_ = loop_.add(fd_.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *this);
  return watched_;
}

void Socket::unwatch() {
  if (watched_) loop_.remove(fd_.get());
  watched_ = readable_ = peer_ended_ = hung_up_ = broken_ = false;
  writable_ = true;
}

void Socket::close() {
  unwatch();
  if (!fd_) return;
  if (shared_) ::shutdown(fd_.get(), SHUT_RDWR);
  fd_.reset();
  loop_.socket_closed();
}

handoff::UniqueFd Socket::release() {
  unwatch();
  if (fd_) loop_.socket_closed();
  return std::move(fd_);
}

void Socket::close_with_reset() {
  const linger at_once{1, 0};
  if (fd_) ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  if (fd_ && shared_) {
    // While another process holds a copy, close() sends no RST; dissolving the association does (connect(2),
    // AF_UNSPEC).
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    ::connect(fd_.get(), &nobody, sizeof nobody);
  }
  close();
}

void Socket::end_writing() { ::shutdown(fd_.get(), SHUT_WR); }

Io Socket::receive(state::Buffer& into, std::size_t bytes) {
  char* const at = into.prepare(1);
  const std::size_t room = std::min({bytes, into.room(), io_bytes_max});
  ssize_t got;
  do {
    got = receive_from(fd_.get(), at, room);
  } while (got < 0 && errno == EINTR);
  into.commit(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got > 0) {
    note_read(static_cast<std::size_t>(got), room);
    return Io::done;
  }
  readable_ = false;
  if (got == 0) return Io::ended;
  return errno == EAGAIN || errno == EWOULDBLOCK ? Io::would_block : Io::failed;
}

// A short read has emptied the socket, and a later byte is a new event; but a FIN may already have arrived.
inline void Socket::note_read(std::size_t got, std::size_t room) {
  if (got < room && !peer_ended_ && !hung_up_) readable_ = false;
  bulky_ = got >= bulk_bytes && got == room;
}

Io Socket::send(state::Buffer& from) {
  const std::size_t bytes = std::min(from.size(), io_bytes_max);
  ssize_t put;
  do {
    put = send_to(fd_.get(), from.data(), bytes);
  } while (put < 0 && errno == EINTR);
  if (put < 0) {
    writable_ = false;
    return cannot_send();
  }
  if (static_cast<std::size_t>(put) < bytes) writable_ = false;
  from.consume(static_cast<std::size_t>(put));
  return Io::done;
}

// The kernel reports a reset only once, and has done so here: a later read will see EOF. Bytes that arrived before the
// reset can still be read, and must be read now.
Io Socket::cannot_send() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return Io::would_block;
  was_reset_ = was_reset_ || errno != EPIPE;
  readable_ = true;
  return Io::failed;
}

// A pipe has room for so many pages, however full they are: a short splice does not mean that nothing is left. Nor does
// EAGAIN.
Socket::Spliced Socket::splice_to(int write_end, std::size_t bytes) {
  ssize_t got;
  do {
    got = ::splice(fd_.get(), nullptr, write_end, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (got < 0 && errno == EINTR);
  bulky_ = got >= static_cast<ssize_t>(std::min(bytes, spliced_bulk_bytes));
  if (got > 0) return {.bytes = static_cast<std::size_t>(got)};
  if (got == 0 || is_for_now(errno)) return {};
  if (is_impossible(errno)) return {.possible = false};
  readable_ = false;
  return {.failed = true};
}

Socket::Spliced Socket::splice_from(int read_end, std::size_t bytes) {
  ssize_t put;
  do {
    put = ::splice(read_end, nullptr, fd_.get(), nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  } while (put < 0 && errno == EINTR);
  if (put > 0) return {.bytes = static_cast<std::size_t>(put)};
  if (put < 0 && is_impossible(errno)) return {.possible = false};
  if (put < 0 && is_for_now(errno)) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) writable_ = false;
    return {};
  }
  if (put < 0) (void)cannot_send();
  return {};
}

std::size_t Socket::send_room() const {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t length = sizeof memory;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_MEMINFO, memory.data(), &length) != 0) return 0;
  int not_sent = 0;
  (void)::ioctl(fd_.get(), SIOCOUTQNSD, &not_sent);
  // The one is TCP's, the other a Unix socket's.
  const std::uint32_t used = std::max(memory[SK_MEMINFO_WMEM_QUEUED], memory[SK_MEMINFO_WMEM_ALLOC]);
  const std::uint32_t most = memory[SK_MEMINFO_SNDBUF];
  const int may_wait = std::max(unsent_bytes - not_sent, 0);
  return std::min(most > used ? most - used : 0U, static_cast<std::uint32_t>(may_wait));
}

int Socket::take_error() {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

bool Socket::finds_reset() {
  const int error = take_error();
  was_reset_ = was_reset_ || (error != 0 && error != EPIPE);
  return was_reset_;
}

std::size_t Socket::unacknowledged() const {
  int bytes = 0;
  return ::ioctl(fd_.get(), SIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(std::max(bytes, 0)) : 0;
}

bool Socket::is_quiet() {
  char byte;
  const bool quiet = ::recv(fd_.get(), &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (quiet) readable_ = false;
  return quiet;
}

void Socket::on_events(std::uint32_t events) {
  if (!fd_ || !watched_) return;       // closed, or frozen, by an earlier event of this round
  // It is taken for writable until a write finds otherwise, so this, mostly a socket's first event, says nothing new.
  if (events == EPOLLOUT && writable_) return;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) readable_ = true;
  if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) writable_ = true;
  if ((events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
    if ((events & EPOLLRDHUP) != 0) peer_ended_ = true;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) hung_up_ = true;
    if ((events & EPOLLERR) != 0) broken_ = true;
  }
  owner_->on_ready(*this);
}

}  // namespace baton::runtime
