// How the servers of an upstream are watched, as configured.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::config {

// Both ends included.
struct StatusRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool has(std::uint16_t status) const { return first <= status && status <= last; }
  bool operator==(const StatusRange&) const = default;
};

enum class ProbeType { http, tcp, grpc };

// Each server is asked again and again.
struct ActiveHealth {
  ProbeType type = ProbeType::http;
  std::string path = "/";
  std::chrono::milliseconds every{5'000};
  std::chrono::milliseconds timeout{2'000};  // of the whole probe
  unsigned up = 2;                           // good probes in a row after which a server that is down is up
  unsigned down = 3;                         // and bad ones for the opposite
  std::vector<StatusRange> status{{200, 399}};
  std::string host;        // in the request; empty: the server's
  std::uint16_t port = 0;  // 0: the server's
  std::string service;     // that gRPC is asked about; empty: the server as a whole
  bool operator==(const ActiveHealth&) const = default;
};

// The exchanges with each server are judged.
struct PassiveHealth {
  unsigned failures = 5;
  std::chrono::milliseconds within{10'000};
  std::chrono::milliseconds eject{30'000};  // the first time
  unsigned at_most_percent = 50;            // of the servers of the upstream
  std::vector<StatusRange> status;          // responses that are failures
  bool operator==(const PassiveHealth&) const = default;
};

struct Health {
  std::optional<ActiveHealth> active;
  std::optional<PassiveHealth> passive;
  bool operator==(const Health&) const = default;
};

}  // namespace baton::config
