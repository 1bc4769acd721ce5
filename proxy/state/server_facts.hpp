// What a process knows of one server of an upstream, besides its configuration; also on the way to a successor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::state {

// What an operator ordered with `baton ctl server`.
enum class Order : std::uint8_t { none, up, drain, down };
enum class Health : std::uint8_t { unknown, up, down };

// Times are milliseconds: of CLOCK_MONOTONIC in a process, since 1970 on the way to another. 0: never.
struct ServerFacts {
  // By command, until the configuration says something else than it said then.
  Order order = Order::none;
  std::uint32_t weight = 0;  // 0: the configured one
  std::int64_t ordered_ms = 0;
  std::uint32_t weight_then = 0;
  bool drain_then = false;

  // By active health checks.
  Health health = Health::unknown;
  std::int64_t health_ms = 0;  // since when
  std::string health_why;

  // By the exchanges with it.
  std::int64_t ejected_until_ms = 0;
  std::int64_t ejected_ms = 0;  // when it was last ejected or readmitted
  std::uint32_t ejections = 0;  // in a row
  std::string ejected_why;

  std::int64_t slow_since_ms = 0;  // when it began to take requests again, for `slow_start`

  bool operator==(const ServerFacts&) const = default;

  // All times, moved by so much.
  ServerFacts shifted(std::int64_t by_ms) const {
    ServerFacts there = *this;
    for (std::int64_t* time :
         {&there.ordered_ms, &there.health_ms, &there.ejected_until_ms, &there.ejected_ms, &there.slow_since_ms}) {
      if (*time != 0) *time += by_ms;
    }
    return there;
  }
};

// For a successor, or a replacement after a crash. Times are since 1970.
struct ServerRecord {
  std::string upstream;
  std::string address;  // SocketAddress::text
  ServerFacts facts;
  std::uint64_t requests_total = 0;  // over all generations
  std::uint64_t failures_total = 0;
  std::vector<std::uint64_t> latencies;  // how many response times of the last one or two minutes lie in each step
  bool operator==(const ServerRecord&) const = default;
};

}  // namespace baton::state
