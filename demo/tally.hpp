// What all clients together have seen. Clients of every kind write to it from the load's thread; the scoreboard and
// the verdict read it from theirs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "demo/latency.hpp"

namespace baton::demo {

// What ends a client. Each client has at most one trouble, for it never reconnects.
enum class Trouble : std::uint8_t {
  not_connected,      // the connection could not be opened
  closed_between,     // closed by the server while no request was open
  closed_in_request,  // closed by the server with a request, or half of one, under way
  wrong_answer,       // not byte for byte what was asked for, or bytes that nobody asked for
  no_answer,          // none within the time that a client waits
};
inline constexpr std::size_t troubles = 5;

// A copy of the counters at one moment.
struct Totals {
  std::uint64_t opened = 0;    // connections
  std::uint64_t answered = 0;  // requests whose answer was verified
  std::uint64_t proven = 0;    // clients that got a verified answer to their last request, at the end
  std::array<std::uint64_t, troubles> trouble{};

  std::uint64_t of(Trouble kind) const { return trouble[static_cast<std::size_t>(kind)]; }
  std::uint64_t closes() const { return of(Trouble::closed_between) + of(Trouble::closed_in_request); }
  std::uint64_t errors() const {
    return of(Trouble::not_connected) + of(Trouble::wrong_answer) + of(Trouble::no_answer);
  }
};

class Tally {
 public:
  void add_opened() { ++opened_; }
  void add_answered(Microseconds latency) {
    ++answered_;
    latency_.add(latency);
  }
  void add_proven() { ++proven_; }

  // `what` is one line for people; the first few are kept.
  void add_trouble(Trouble kind, std::string what);

  Totals totals() const;
  LatencySpread latency() const { return latency_.spread(); }
  std::vector<std::string> complaints() const;

 private:
  std::atomic<std::uint64_t> opened_ = 0;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<std::uint64_t> proven_ = 0;
  std::array<std::atomic<std::uint64_t>, troubles> trouble_{};
  LatencyRecorder latency_;
  mutable std::mutex complaints_mutex_;
  std::vector<std::string> complaints_;
};

}  // namespace baton::demo
