// How many requests pass.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace baton::config {

// Whose requests are counted together.
struct RateBy {
  enum class What { client, header, route } what = What::client;
  std::string name = {};  // of the header, in lowercase
  bool operator==(const RateBy&) const = default;
};

// Of a route: `requests` per `per` in the long run, and `burst` at once. An interval between two requests is at least
// 10 µs, and a burst is forgotten after at most 10 days.
struct RateLimit {
  std::uint64_t requests = 0;
  std::chrono::milliseconds per{1000};
  std::uint64_t burst = 0;
  RateBy by = {};
  bool operator==(const RateLimit&) const = default;

  // Between two requests, rounded up: no more pass than `requests` says.
  std::uint64_t interval_us() const {
    const std::uint64_t per_us = static_cast<std::uint64_t>(per.count()) * 1000;
    return (per_us + requests - 1) / requests;
  }
};

}  // namespace baton::config
