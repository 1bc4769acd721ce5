// Shared by the tests of the channel and of the conversation: socket pairs, handwritten frames, descriptor counts and
// code that runs in a child process.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "handoff/channel.hpp"
#include "handoff/limits.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff::test {

// Reached only by a failing test.
inline Deadline soon() {
  return Clock::now() + std::chrono::seconds(20);
}

struct Pair {
  UniqueFd one;
  UniqueFd other;
};

inline Pair socket_pair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A descriptor of a unique file.
inline UniqueFd new_file() {
  return UniqueFd(::memfd_create("test", MFD_CLOEXEC));
}

inline bool same_file(int one, int other) {
  struct stat first{};
  struct stat second{};
  return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// A frame as bytes; each field can be false.
struct RawFrame {
  std::uint32_t magic = limits::magic;
  std::uint16_t version = limits::frame_version;
  Kind kind = Kind::offer;
  std::uint32_t record_bytes = 0;
  std::uint32_t secret_bytes = 0;
  std::uint16_t descriptors = 0;
  std::string body = {};

  static RawFrame honest(Kind kind, std::string_view record, std::string_view secrets = {},
                         std::size_t descriptors = 0) {
    return {.kind = kind,
            .record_bytes = static_cast<std::uint32_t>(record.size()),
            .secret_bytes = static_cast<std::uint32_t>(secrets.size()),
            .descriptors = static_cast<std::uint16_t>(descriptors),
            .body = std::string(record) + std::string(secrets)};
  }

  std::string bytes() const {
    std::string out;
    const auto put = [&](std::uint32_t value, int size) {
      while (size-- > 0) out.push_back(static_cast<char>(value >> (8 * size)));
    };
    put(magic, 4);
    put(version, 2);
    put(static_cast<std::uint16_t>(kind), 2);
    put(record_bytes, 4);
    put(secret_bytes, 4);
    put(descriptors, 2);
    put(0, 2);
    return out + body;
  }
};

// One sendmsg; returns the bytes sent or the negative errno.
inline ssize_t write_raw(int socket, std::string_view bytes, std::span<const int> descriptors = {}) {
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 253)];
  if (!descriptors.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  }
  const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

inline void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// While it exists, this process can open only so many more descriptors.
class FewDescriptors {
 public:
  explicit FewDescriptors(int left) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::dup(STDIN_FILENO);
    ::close(lowest_free);
    rlimit lowered = before_;
    lowered.rlim_cur = static_cast<rlim_t>(lowest_free + left);
    ::setrlimit(RLIMIT_NOFILE, &lowered);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

// Runs `task` in a child process. True: it returned an empty text; any other text is shown.
template <class Task>
::testing::AssertionResult in_child(Task task) {
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string complaint = task();
    if (!complaint.empty()) std::fprintf(stderr, "in the child: %s\n", complaint.c_str());
    ::_exit(complaint.empty() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "the child ended with status " << status;
}

}  // namespace baton::handoff::test
