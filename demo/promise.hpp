// The promised load and what this machine makes of it: clients that its limits allow, requests that it answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "demo/client.hpp"

namespace baton::demo {

// Files that we may have open: both ends of each client's connection to nginx or to the origin.
std::size_t files_wanted(unsigned clients, unsigned newcomers_per_second);

// How many of the `wanted` clients can connect with so many files.
unsigned clients_possible(unsigned wanted, unsigned newcomers_per_second, std::size_t files);

// "this machine reaches 1200 of the 3000 requests/s asked for"; empty if it reaches nine tenths of them, or
// nothing is measured yet.
std::string shortfall(std::optional<double> reached_per_second, unsigned wanted_per_second);

// The mean rate since the load was complete.
class MeanRate {
 public:
  void begin(Clock::time_point now, std::uint64_t answered) { begin_ = now, before_ = answered; }

  // Nothing until two seconds have passed.
  std::optional<double> at(Clock::time_point now, std::uint64_t answered) const;

 private:
  Clock::time_point begin_ = Clock::time_point::max();
  std::uint64_t before_ = 0;
};

}  // namespace baton::demo
