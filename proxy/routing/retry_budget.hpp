// How many requests may be sent again, so that servers in trouble do not get several times the requests.
#pragma once

#include <array>
#include <cstdint>

namespace baton::routing {

// Of one upstream and worker.
class RetryBudget {
 public:
  // So many in ten seconds are always allowed.
  static constexpr std::uint32_t floor = 3;

  void note_request(std::int64_t now_ms) { ++second(now_ms).requests; }

  // True, and counted: with this one, no more than `percent` of the requests of the last ten seconds are retries.
  bool take(std::int64_t now_ms, unsigned percent) {
    second(now_ms);
    std::uint64_t requests = 0;
    std::uint64_t retries = 1;
    for (const Second& one : seconds_) {
      if (one.number <= now_ms / 1000 - window) continue;
      requests += one.requests;
      retries += one.retries;
    }
    if (retries > floor && retries * 100 > requests * percent) return false;
    ++second(now_ms).retries;
    return true;
  }

 private:
  static constexpr std::int64_t window = 10;
  struct Second {
    std::int64_t number = -window;
    std::uint32_t requests = 0;
    std::uint32_t retries = 0;
  };
  Second& second(std::int64_t now_ms) {
    const std::int64_t number = now_ms / 1000;
    Second& second = seconds_[static_cast<std::size_t>(number % window)];
    if (second.number != number) second = {.number = number};
    return second;
  }

  std::array<Second, window> seconds_{};
};

}  // namespace baton::routing
