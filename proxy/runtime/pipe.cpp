#include "proxy/runtime/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

namespace baton::runtime {

namespace {

// What is passed even where the receiving socket seems to be full: only a send that finds no room makes the kernel
// report when there is some again.
constexpr std::size_t bytes_least = 16 * 1024;
// A smaller pipe costs more calls than it saves copying.
constexpr int capacity_least = 64 * 1024;

}  // namespace

std::optional<Pipe> Pipe::open() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return std::nullopt;
  Pipe pipe{handoff::UniqueFd(ends[0]), handoff::UniqueFd(ends[1])};
  (void)::fcntl(ends[0], F_SETPIPE_SZ, static_cast<int>(bytes_max));
  if (::fcntl(ends[0], F_GETPIPE_SZ) < capacity_least) return std::nullopt;
  return pipe;
}

Pipe::Passed Pipe::pass(Socket& from, Socket& to, std::size_t bytes, state::Buffer& rest) {
  const std::size_t most = std::clamp(to.send_room(), bytes_least, bytes_max);
  const Socket::Spliced in = from.splice_to(write_end_.get(), std::min(bytes, most));
  usable_ = usable_ && in.possible;
  std::size_t left = in.bytes;
  while (left != 0) {
    const Socket::Spliced out = to.splice_from(read_end_.get(), left);
    usable_ = usable_ && out.possible;
    if (out.bytes == 0) break;
    left -= out.bytes;
  }
  if (left != 0) read_back(left, rest);
  // The receiver is slower than it seemed: what comes back is copied twice, and a read only once.
  if (left > bytes_least) from.note_no_bulk();
  return {in.bytes, in.failed};
}

void Pipe::read_back(std::size_t bytes, state::Buffer& rest) {
  try {
    take(rest.prepare(bytes), bytes);
    rest.commit(bytes);
  } catch (const std::bad_alloc&) {
    // The next connection must not find them here.
    std::array<char, 4096> nowhere;
    for (; bytes > nowhere.size(); bytes -= nowhere.size()) take(nowhere.data(), nowhere.size());
    take(nowhere.data(), bytes);
    throw;
  }
}

void Pipe::take(char* to, std::size_t bytes) {
  while (bytes != 0) {
    const ssize_t got = ::read(read_end_.get(), to, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) std::abort();  // the kernel has lost them, so we do not know what the next connection would be sent
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

}  // namespace baton::runtime
