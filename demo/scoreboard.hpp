// The display while the demo runs: on a terminal one board on the alternate screen, so that the scrollback gets only
// what is said before and after; line after line elsewhere.
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
  std::string shortfall;  // how the load falls short of the promised one; empty: it does not
  std::vector<Upgrade> upgrades;
  std::string canary;  // what it has done so far; empty: there is none
};

// A terminal's.
struct Size {
  std::size_t rows = 24;
  std::size_t columns = 80;
};

// The board's lines without colour. The tables have a row per upgrade and are absent before the first.
std::vector<std::string> board_lines(const View& view);

// The board as it fits on a terminal: only the last upgrades, and the beginnings of lines.
std::vector<std::string> frame_lines(const View& view, Size size);

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

// What the output can show.
struct Display {
  bool in_place = false;  // one board on a terminal, instead of line after line
  bool colour = false;
};

class Scoreboard {
 public:
  // `out` must outlive it.
  Scoreboard(std::ostream& out, Display display) : out_(out), display_(display) {}
  ~Scoreboard() { leave_screen(); }
  Scoreboard(const Scoreboard&) = delete;
  Scoreboard& operator=(const Scoreboard&) = delete;

  // Shows the view: redrawn in place, or as one line of progress.
  void show(const View& view);

  // The useful interval between calls of `show`.
  std::chrono::milliseconds interval() const {
    return display_.in_place ? std::chrono::milliseconds{200} : std::chrono::milliseconds{1000};
  }

  // One permanent line, before the board is first shown or after it is settled.
  void say(std::string_view line);

  // An important line, in green or red where there are colours.
  void say_good(std::string_view line) { say_in(line, "\x1b[1;32m"); }
  void say_bad(std::string_view line) { say_in(line, "\x1b[1;31m"); }

  // Writes the view where it stays, with all tables; later lines go below.
  void settle(const View& view);

 private:
  void enter_screen();
  void leave_screen();
  void say_in(std::string_view line, std::string_view colour);

  std::ostream& out_;  // outlives the scoreboard
  Display display_;
  bool on_screen_ = false;  // the alternate one
};

}  // namespace baton::demo
