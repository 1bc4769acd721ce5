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
  // Nothing: no descriptors are left, or this user's pipes have so much memory already that a new one would be too
  // small.
  static std::optional<Pipe> open();

  // The most that one call moves.
  static constexpr std::size_t bytes_max = 256 * 1024;

  struct Passed {
    std::size_t bytes = 0;  // taken from the sender; `rest` has those of them that were not sent
    bool failed = false;    // the sender's connection is broken. Without this and without bytes: only a read can tell
  };
  // Moves at most `bytes`, as far as `to` has room. If sending fails, the next send on `to` fails too and reports it.
  // Throws std::bad_alloc; then the bytes are lost, and the connection cannot go on.
  Passed pass(Socket& from, Socket& to, std::size_t bytes, state::Buffer& rest);

  // False: this process may not splice, or the kernel cannot.
  bool is_usable() const { return usable_; }

 private:
  Pipe(handoff::UniqueFd read_end, handoff::UniqueFd write_end)
      : read_end_(std::move(read_end)), write_end_(std::move(write_end)) {}
  void read_back(std::size_t bytes, state::Buffer& rest);
  void take(char* to, std::size_t bytes);

  handoff::UniqueFd read_end_;
  handoff::UniqueFd write_end_;
  bool usable_ = true;
};

}  // namespace baton::runtime
