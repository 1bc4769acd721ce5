#include "handoff/channel.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "handoff/insist.hpp"
#include "handoff/limits.hpp"

namespace baton::handoff {

namespace {

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * 253);
constexpr std::size_t read_bytes_max = 256 * 1024;

std::string errno_text(const char* what, int error) {
  return std::string(what) + ": " + std::strerror(error);
}

void put16(char* at, std::uint16_t value) {
  value = htons(value);
  std::memcpy(at, &value, sizeof value);
}
void put32(char* at, std::uint32_t value) {
  value = htonl(value);
  std::memcpy(at, &value, sizeof value);
}
std::uint16_t get16(const char* at) {
  std::uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return ntohs(value);
}
std::uint32_t get32(const char* at) {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return ntohl(value);
}

int poll_timeout_ms(Deadline deadline) {
  if (deadline == no_deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::hello: return "Hello";
    case Kind::inherit: return "Inherit";
    case Kind::ready: return "Ready";
    case Kind::listen: return "Listen";
    case Kind::listening: return "Listening";
    case Kind::offer: return "Offer";
    case Kind::adopted: return "Adopted";
    case Kind::done: return "Done";
    case Kind::bye: return "Bye";
    case Kind::abort: return "Abort";
    case Kind::trial: return "Trial";
    case Kind::recall: return "Recall";
    case Kind::returning: return "Returning";
    case Kind::returned: return "Returned";
    case Kind::remaining: return "Remaining";
  }
  return "unknown";
}

Channel::Channel(UniqueFd socket) : socket_(std::move(socket)) {
  ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  ::fcntl(socket_.get(), F_SETFD, FD_CLOEXEC);
}

Result<void> Channel::send(Kind kind, const std::string& record, std::span<const int> descriptors,
                           const SecretBytes& secrets, Deadline deadline) {
  if (record.size() > limits::record_bytes_max || secrets.size() > limits::secret_bytes_max ||
      descriptors.size() > limits::descriptors_per_frame_max) {
    return fail(Fault::malformed, std::string(kind_name(kind)) + " is over the limits of a frame");
  }
  char header[header_bytes];
  put32(header, limits::magic);
  put16(header + 4, limits::frame_version);
  put16(header + 6, static_cast<std::uint16_t>(kind));
  put32(header + 8, static_cast<std::uint32_t>(record.size()));
  put32(header + 12, static_cast<std::uint32_t>(secrets.size()));
  put16(header + 16, static_cast<std::uint16_t>(descriptors.size()));
  put16(header + 18, 0);

  const std::size_t total = header_bytes + record.size() + secrets.size();
  std::size_t sent = 0;
  while (sent < total) {
    // The unsent rest of the three parts; sendmsg does not advance the iovecs.
    const std::string_view parts[] = {{header, header_bytes}, record, secrets.view()};
    iovec pieces[3];
    std::size_t used = 0;
    std::size_t skip = sent;
    for (std::string_view part : parts) {
      const std::size_t gone = std::min(skip, part.size());
      skip -= gone;
      if (gone < part.size()) pieces[used++] = {const_cast<char*>(part.data() + gone), part.size() - gone};
    }
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = used;
    alignas(cmsghdr) char control[control_bytes];
    if (sent == 0 && !descriptors.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
      std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(int) * descriptors.size());
    }
    const ssize_t written = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written > 0) {
      sent += static_cast<std::size_t>(written);
      continue;
    }
    const int error = errno;
    if (written < 0 && error == EINTR) continue;
    if (written < 0 && (error == EPIPE || error == ECONNRESET)) {
      return fail(Fault::closed, "the other side closed the channel");
    }
    // ETOOMANYREFS: too many of this user's descriptors are in flight; the other side frees them by reading.
    if (written < 0 && error != EAGAIN && error != EWOULDBLOCK && error != ETOOMANYREFS) {
      return fail(Fault::system, errno_text("sendmsg", error));
    }
    if (Clock::now() >= deadline) return fail(Fault::timed_out, std::string(kind_name(kind)) + " could not be sent in time");
    const bool crowded = error == ETOOMANYREFS;
    pollfd poll_fd{socket_.get(), static_cast<short>((broken_ ? 0 : POLLIN) | (crowded ? 0 : POLLOUT)), 0};
    ::poll(&poll_fd, 1, crowded ? std::min(poll_timeout_ms(deadline) & INT32_MAX, 5) : poll_timeout_ms(deadline));
    if ((poll_fd.revents & POLLIN) != 0 && !broken_) {
      if (auto read = read_some(); !read) broken_ = read.error();
    }
  }
  return {};
}

Result<Frame> Channel::receive(Deadline deadline) {
  for (;;) {
    auto frame = try_receive();
    if (!frame) return std::unexpected(frame.error());
    if (*frame) return std::move(**frame);
    if (!wait({}, deadline)) return fail(Fault::timed_out, "no answer in time");
  }
}

Result<const Frame*> Channel::look() {
  while (received_.empty() && !broken_) {
    auto read = read_some();
    if (!read) {
      broken_ = read.error();
    } else if (!*read) {
      return nullptr;
    }
  }
  if (received_.empty()) return std::unexpected(*broken_);
  return &received_.front();
}

Result<std::optional<Frame>> Channel::try_receive() {
  const auto next = look();
  if (!next) return std::unexpected(next.error());
  if (*next == nullptr) return std::nullopt;
  std::optional<Frame> frame(std::move(received_.front()));
  received_.pop_front();
  return frame;
}

bool Channel::wait(std::span<const int> others, Deadline deadline) {
  if (!received_.empty() || broken_) return true;
  std::vector<pollfd> polled{{socket_.get(), POLLIN, 0}};
  for (int other : others) polled.push_back({other, POLLIN, 0});
  for (;;) {
    const int ready = ::poll(polled.data(), polled.size(), poll_timeout_ms(deadline));
    if (ready > 0) return true;
    if (ready == 0 && Clock::now() >= deadline) return false;
  }
}

void Channel::shut_down() {
  ::shutdown(socket_.get(), SHUT_RDWR);
}

Result<bool> Channel::read_some() {
  if (received_.size() > limits::frames_waiting_max) return fail(Fault::malformed, "too many frames at once");
  // A read cannot be repeated, so everything after it uses `insist` when memory is short.
  // A read never goes past the arriving frame, so descriptors always belong to the frame they came with.
  const bool in_header = header_filled_ < header_bytes;
  iovec piece;
  std::string& record = arriving_.record;
  const std::size_t record_before = record.size();
  if (in_header) {
    piece = {header_ + header_filled_, header_bytes - header_filled_};
  } else if (record_before < record_bytes_) {
    const std::size_t bytes = std::min(record_bytes_ - record_before, read_bytes_max);
    record.resize(record_before + bytes);     // grows as bytes arrive: a false length costs one piece at most
    piece = {record.data() + record_before, bytes};
  } else {
    piece = {arriving_.secrets.data() + secrets_filled_, arriving_.secrets.size() - secrets_filled_};
  }
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[control_bytes];
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  const int error = errno;
  if (!in_header && record_before < record_bytes_) {
    record.resize(record_before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  if (got < 0) {
    if (error == EAGAIN || error == EWOULDBLOCK) return false;
    if (error == ECONNRESET) return fail(Fault::closed, "the other side closed the channel");   // data was unread
    return fail(Fault::system, errno_text("recvmsg", error));
  }
  if (auto taken = take_descriptors(message, in_header && header_filled_ == 0); !taken) {
    return std::unexpected(taken.error());
  }
  if (got == 0) {
    return fail(Fault::closed, header_filled_ == 0 ? "the other side closed the channel"
                                                   : "the channel was closed in the middle of a frame");
  }
  if (in_header) {
    header_filled_ += static_cast<std::size_t>(got);
    if (header_filled_ < header_bytes) return true;
    if (auto good = header_complete(); !good) return std::unexpected(good.error());
  } else if (record_before == record_bytes_) {
    secrets_filled_ += static_cast<std::size_t>(got);
  }
  if (arriving_.record.size() == record_bytes_ && secrets_filled_ == arriving_.secrets.size()) frame_complete();
  return true;
}

Result<void> Channel::take_descriptors(msghdr& message, bool at_frame_start) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    insist([&] { arriving_.descriptors.reserve(arriving_.descriptors.size() + count); });
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      arriving_.descriptors.emplace_back(fd);
    }
    if (!at_frame_start) return fail(Fault::malformed, "descriptors in the middle of a frame");
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) is_truncated_ = true;
  return {};
}

Result<void> Channel::header_complete() {
  const std::uint32_t record = get32(header_ + 8);
  const std::uint32_t secrets = get32(header_ + 12);
  if (get32(header_) != limits::magic) return fail(Fault::malformed, "not a frame: wrong magic number");
  if (get16(header_ + 4) != limits::frame_version) return fail(Fault::malformed, "a frame of an unknown version");
  if (record > limits::record_bytes_max || secrets > limits::secret_bytes_max) {
    return fail(Fault::malformed, "a frame over the limits");
  }
  arriving_.kind = static_cast<Kind>(get16(header_ + 6));
  const std::size_t descriptors = get16(header_ + 16);
  record_bytes_ = record;
  insist([&] {
    arriving_.record.reserve(std::min<std::size_t>(record, read_bytes_max));
    if (secrets != 0) arriving_.secrets = SecretBytes(secrets);
  });
  if (arriving_.descriptors.size() > descriptors) {
    return fail(Fault::malformed, "more descriptors than the frame names");
  }
  // The kernel installs descriptors in order and stops at the first without room, so the last ones are missing.
  arriving_.descriptors_lost = descriptors - arriving_.descriptors.size();
  if (arriving_.descriptors_lost != 0 && !is_truncated_) {
    return fail(Fault::malformed, "fewer descriptors than the frame names");
  }
  return {};
}

void Channel::frame_complete() {
  insist([this] { received_.emplace_back(); });
  received_.back() = std::move(arriving_);
  arriving_ = Frame{};
  header_filled_ = 0;
  is_truncated_ = false;
  record_bytes_ = 0;
  secrets_filled_ = 0;
}

}  // namespace baton::handoff
