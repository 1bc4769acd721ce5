// Lines on their way to a file, pipe or terminal: a bounded queue and a thread that writes, so that the source of the
// lines never waits. The descriptor may be shared with other processes (a predecessor logs to the same pipe), so its
// flags, even a blocking one, are left as they are. Whole lines go to a pipe in atomic pieces, so that lines never mix,
// and to a socket of datagrams one by one, without their line ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "handoff/unique_fd.hpp"

namespace baton::runtime {

class LineWriter {
 public:
  enum class WhenFull { drop_oldest, drop_newest };

  struct Options {
    std::size_t queue_bytes_max = 0;
    WhenFull when_full = WhenFull::drop_oldest;
    // These two are called in the writer's thread, maybe after the LineWriter itself has been destroyed. This many
    // lines were lost for lack of room; the result is written in their place.
    std::function<std::string(std::uint64_t lines)> on_gap;
    // A write failed with this errno and its lines are dropped; reported once until a write succeeds again.
    std::function<void(int error)> on_failure;
    // Set: the descriptor is a socket of datagrams, or none. This gets another when it is of no use any more; also in
    // the thread.
    std::function<handoff::UniqueFd()> reconnect;
  };

  LineWriter(handoff::UniqueFd descriptor, Options options);
  // stop() within two seconds.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Takes lines with their line ends and returns at once; lines without memory for them are lost. From any thread.
  void write(std::string lines) noexcept;
  // Writes to this descriptor from the next piece on. From any thread.
  void replace(handoff::UniqueFd descriptor);
  // Writes out what is queued. False: the limit was reached first; the thread is left behind with what it needs, and
  // ends as soon as the kernel releases it.
  bool stop(std::chrono::milliseconds limit);

  std::uint64_t lines_dropped() const;

 private:
  class Queue;

  std::shared_ptr<Queue> queue_;  // shared with the thread, which may outlive us
  std::thread thread_;
};

}  // namespace baton::runtime
