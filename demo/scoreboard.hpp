// The display while the demo runs: one board redrawn in place on a terminal, line after line elsewhere.
#pragma once

#include <chrono>
#include <deque>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "demo/client.hpp"
#include "demo/tally.hpp"
#include "demo/upgrade.hpp"

namespace baton::demo {

// Everything on the board at one moment.
struct View {
  std::string doing;  // "upgrade 2 of 5 is running"
  pid_t pid = 0;
  std::uint64_t generation = 0;
  TotalsByGroup clients;
  std::uint64_t reconnects = 0;
  double requests_per_second = 0;
  LatencySpread latency;  // of the last second
  std::vector<Upgrade> upgrades;
};

// The board's lines without colour. The tables have a row per upgrade and are absent before the first.
std::vector<std::string> board_lines(const View& view);
std::vector<std::string> upgrade_table(const std::vector<Upgrade>& upgrades);

// How many connections moved, by state.
std::vector<std::string> moved_table(const std::vector<Upgrade>& upgrades);

// A line per kind: how many of its connections were alive and correct to the end, and what they verified.
std::vector<std::string> kinds_table(const TotalsByGroup& clients);

// Rate and latency over the last second, from samples added over time.
class LastSecond {
 public:
  void sample(Clock::time_point now, const LatencySpread& latency);
  double requests_per_second() const;
  LatencySpread latency() const;

 private:
  struct Sample {
    Clock::time_point time;
    LatencySpread latency;
  };
  std::deque<Sample> samples_;
};

class Scoreboard {
 public:
  // `out` must outlive it.
  Scoreboard(std::ostream& out, bool in_place) : out_(out), in_place_(in_place) {}

  // Shows the view: redrawn in place, or as one line of progress.
  void show(const View& view);

  // The useful interval between calls of `show`.
  std::chrono::milliseconds interval() const {
    return in_place_ ? std::chrono::milliseconds{200} : std::chrono::milliseconds{1000};
  }

  // One permanent line above the board, which is redrawn below it.
  void say(std::string_view line);

  // An important line: green or red on a terminal.
  void say_good(std::string_view line) { say_in(line, "\x1b[1;32m"); }
  void say_bad(std::string_view line) { say_in(line, "\x1b[1;31m"); }

  // Shows the view for the last time, with all tables; later lines go below.
  void settle(const View& view);

 private:
  void erase();
  void say_in(std::string_view line, std::string_view colour);

  std::ostream& out_;  // outlives the scoreboard
  bool in_place_;
  std::size_t drawn_ = 0;  // lines of the board on the screen
};

}  // namespace baton::demo
