#include "harness/stream.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace baton::harness {

namespace {

constexpr std::size_t shown_bytes_max = 300;

std::string shown(const std::string& bytes) {
  return " (" + std::to_string(bytes.size()) + " bytes are here: \"" + bytes.substr(0, shown_bytes_max) + "\")";
}

bool wait_for(int fd, short event, const Deadline& deadline) {
  pollfd wait{fd, event, 0};
  return ::poll(&wait, 1, deadline.poll_ms()) > 0;
}

}  // namespace

void Stream::send(std::string_view bytes) {
  if (std::size_t sent = send_what_goes(bytes); sent != bytes.size())
    throw ConnectionEnded("the connection ended after " + std::to_string(sent) + " of " +
                          std::to_string(bytes.size()) + " bytes were sent");
}

std::size_t Stream::send_what_goes(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ssize_t n = ::send(fd(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      bytes_sent_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      if (!wait_for(fd(), POLLOUT, Deadline(limit_)))
        throw Failure("the other side took no more bytes after " + std::to_string(sent));
    } else if (errno != EINTR) {
      break;
    }
  }
  return sent;
}

std::string Stream::read_exactly(std::size_t bytes) {
  while (unread_.size() < bytes) await_more(std::to_string(bytes) + " bytes");
  return take(bytes);
}

std::string Stream::read_through(std::string_view mark) {
  std::size_t from = 0;
  while (true) {
    if (std::size_t at = unread_.find(mark, from); at != std::string::npos) return take(at + mark.size());
    from = unread_.size() < mark.size() ? 0 : unread_.size() - mark.size();
    await_more("the end of a line or head");
  }
}

std::string Stream::read_to_fin() {
  std::string bytes;
  if (read_to_end(bytes) == End::reset) throw ConnectionEnded("connection reset where FIN was expected" + shown(bytes));
  return bytes;
}

End Stream::read_to_end(std::string& bytes) {
  while (true) {
    const Got got = receive(Deadline(limit_));
    if (got == Got::bytes) continue;
    bytes = take(unread_.size());
    return got == Got::fin ? End::fin : End::reset;
  }
}

bool Stream::await_bytes_forever() {
  if (!unread_.empty()) return true;
  pollfd wait{fd(), POLLIN, 0};
  ::poll(&wait, 1, -1);
  return receive_now(unread_) == Got::bytes;
}

void Stream::expect_silence(Milliseconds for_so_long) {
  if (!unread_.empty()) throw Failure("silence was expected" + shown(unread_));
  if (!wait_for(fd(), POLLIN, Deadline(for_so_long))) return;
  const Got got = receive_now(unread_);
  throw Failure(got == Got::bytes ? "silence was expected" + shown(unread_)
                                  : "an open connection was expected, it has ended");
}

void Stream::half_close() {
  ::shutdown(fd(), SHUT_WR);
}

void Stream::reset() {
  linger hard{1, 0};
  ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  socket_.close();
}

void Stream::shut_down() {
  ::shutdown(fd(), SHUT_RDWR);
}

Stream::Got Stream::receive(Deadline deadline) {
  if (!wait_for(fd(), POLLIN, deadline)) throw Failure("nothing more came from the other side" + shown(unread_));
  return receive_now(unread_);
}

Stream::Got Stream::receive_now(std::string& into) {
  char piece[64 * 1024];
  ssize_t n = ::recv(fd(), piece, sizeof piece, 0);
  if (n == 0) return Got::fin;
  if (n < 0) return Got::reset;
  into.append(piece, static_cast<std::size_t>(n));
  return Got::bytes;
}

void Stream::await_more(const std::string& what) {
  const Got got = receive(Deadline(limit_));
  if (got == Got::fin) throw ConnectionEnded("the connection ended before " + what + " came" + shown(unread_));
  if (got == Got::reset) throw ConnectionEnded("the connection was reset before " + what + " came" + shown(unread_));
}

std::string Stream::take(std::size_t bytes) {
  std::string front = unread_.substr(0, bytes);
  unread_.erase(0, bytes);
  return front;
}

}  // namespace baton::harness
