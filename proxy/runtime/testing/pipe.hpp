// A pipe whose reading end a test holds, so that it can be slow.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "handoff/unique_fd.hpp"

namespace baton::runtime {

struct TestPipe {
  TestPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    reading = handoff::UniqueFd(ends[0]);
    writing = handoff::UniqueFd(ends[1]);
  }

  handoff::UniqueFd writing_copy() const { return handoff::UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, 3)); }

  // Fills the pipe and leaves the descriptor blocking.
  void fill() {
    ::fcntl(writing.get(), F_SETFL, O_NONBLOCK);
    const std::string block(4096, '#');
    while (::write(writing.get(), block.data(), block.size()) > 0) {
    }
    ::fcntl(writing.get(), F_SETFL, 0);
  }

  // Reads until `end` has been read or all writers are gone.
  std::string read_until(const std::string& end) {
    std::string all;
    char bytes[4096];
    while (all.find(end) == std::string::npos) {
      const ssize_t count = ::read(reading.get(), bytes, sizeof bytes);
      if (count <= 0) break;
      all.append(bytes, static_cast<std::size_t>(count));
    }
    return all;
  }
  // Reads everything until all other writers are gone.
  std::string read_all() {
    writing.reset();
    std::string all;
    char bytes[4096];
    for (ssize_t count; (count = ::read(reading.get(), bytes, sizeof bytes)) > 0;) {
      all.append(bytes, static_cast<std::size_t>(count));
    }
    return all;
  }
  // Waits until the pipe has something to read.
  void await_bytes() {
    pollfd polled{reading.get(), POLLIN, 0};
    ::poll(&polled, 1, -1);
  }

  handoff::UniqueFd reading;
  handoff::UniqueFd writing;
};

}  // namespace baton::runtime
