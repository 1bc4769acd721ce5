// Lines on their way to a file, pipe or terminal: a bounded queue and a thread that writes. Whoever has lines never
// waits. The descriptor may be shared with other processes (a predecessor logs to the same pipe), so its flags stay as
// they are, a blocking one included; and to a pipe whole lines go in atomic pieces, so that lines never mix.
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
    // These two are called in the writer's thread, and may be when the LineWriter itself is gone already.
    // So many lines were lost for want of room; the result is written in their place.
    std::function<std::string(std::uint64_t lines)> on_gap;
    // A write failed with this errno; told once, until a write has succeeded again. Its lines are dropped.
    std::function<void(int error)> on_failure;
  };

  LineWriter(handoff::UniqueFd descriptor, Options options);
  // stop() within two seconds.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Takes lines, each with its end, and returns at once; without memory for them they are lost. From any thread.
  void write(std::string lines) noexcept;
  // Writes to this one from the next piece on. From any thread.
  void replace(handoff::UniqueFd descriptor);
  // Writes out what is waiting. False: that was not possible within the limit; the thread is left behind, with what it
  // needs, and ends as soon as the kernel lets go of it.
  bool stop(std::chrono::milliseconds limit);

  std::uint64_t lines_dropped() const;

 private:
  class Queue;

  std::shared_ptr<Queue> queue_;  // shared with the thread, which may outlive us
  std::thread thread_;
};

}  // namespace baton::runtime
