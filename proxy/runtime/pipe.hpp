// Moves bytes from one socket to another without copying them (splice(2)). The pipe between them is empty between any
// two calls, so nothing in it has to be kept, moved or saved: what the receiving socket does not take is read back.
#pragma once

#include <cstddef>
#include <optional>

#include "handoff/unique_fd.hpp"
#include "proxy/runtime/socket.hpp"
#include "proxy/state/buffer.hpp"

namespace baton::runtime {

class Pipe {
 public:
  // The kernel has no room for one, or no descriptors are left: nothing.
  static std::optional<Pipe> open();

  // The most that one call moves.
  static constexpr std::size_t bytes_max = 256 * 1024;

  struct Passed {
    Io io = Io::would_block;  // of reading; `ended` is to be confirmed by a `receive`
    std::size_t bytes = 0;    // read; `rest` has those of them that were not sent
  };
  // Moves at most `bytes`, as far as `to` has room. If sending fails, the next send on `to` fails too and reports it.
  // Throws std::bad_alloc; then the bytes are lost, and the connection cannot go on.
  Passed pass(Socket& from, Socket& to, std::size_t bytes, state::Buffer& rest);

 private:
  Pipe(handoff::UniqueFd out, handoff::UniqueFd in) : out_(std::move(out)), in_(std::move(in)) {}
  void read_back(std::size_t bytes, state::Buffer& rest);
  void take(char* to, std::size_t bytes);

  handoff::UniqueFd out_;  // to read from
  handoff::UniqueFd in_;   // to write to
};

}  // namespace baton::runtime
