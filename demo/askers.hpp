// Clients of a canary: each has one keep-alive connection from a loopback address of its own, so that a share of them
// is chosen as a whole. They ask for what fails now and then on the canary, and tolerate that.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "demo/entrances.hpp"
#include "demo/load.hpp"
#include "demo/tally.hpp"

namespace baton::demo {

// What they have seen.
struct AskersView {
  Totals totals;                // as of all clients
  unsigned served = 0;          // clients that the canary served
  unsigned failed = 0;          // clients with a failure that was the canary's
  unsigned failed_outside = 0;  // clients with a failure that was not
  double seconds = 0;           // from the canary's first answer to its last
};

class Askers {
 public:
  // A fifth of them is the canary's, by chance. Four with a failure decide its comparison, and fewer than that come
  // with a probability of 3 in 100,000. Each asks so often that the canary serves for a second or two until then.
  static constexpr unsigned number = 80;
  static constexpr Microseconds pause{125'000};

  // All connect at once.
  explicit Askers(const Entrance& server);

  AskersView seen() const;
  std::vector<std::string> complaints() const { return tally_.complaints(); }

  // As of a Load.
  void finish() { load_.finish(); }
  std::size_t unfinished() const { return load_.unfinished(); }

  // What each notes of its answers.
  class Notes {
   public:
    void add(unsigned asker, bool is_failure, bool is_of_canary);
    AskersView sum() const;

   private:
    struct Note {
      bool served = false;
      bool failed = false;
      bool failed_outside = false;
    };
    mutable std::mutex mutex_;
    std::vector<Note> notes_{number};
    std::optional<Clock::time_point> first_, last_;
  };

 private:
  Tally tally_;
  Notes notes_;
  Load load_;
};

}  // namespace baton::demo
