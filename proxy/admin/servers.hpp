// What `GET /servers` reports: each server of each upstream at one moment; and the command that changes one.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace baton::admin {

struct ServerStatus {
  std::string upstream;
  std::string address;
  std::string state;          // up, drained, down or ejected
  std::string why;            // empty: as configured
  std::int64_t since_ms = 0;  // since 1970; 0: since the start
  std::uint64_t weight = 1;   // in force
  bool is_slow = false;       // a slow start goes on
  bool is_backup = false;
  std::int64_t in_flight = 0;
  std::uint64_t requests_total = 0;  // over all generations
  std::uint64_t failures_total = 0;
  std::uint64_t p50_ms = 0;  // of response times in the last one or two minutes, at most; 0: there were none
  std::uint64_t p99_ms = 0;
};

// As JSON, one line.
std::string servers_json(const std::vector<ServerStatus>& servers);

struct ServerCommand {
  enum class What { up, drain, down, weight };
  std::string upstream;
  std::string address;
  What what = What::up;
  unsigned weight = 0;  // for `weight`
};

// The body of `POST /server`: {"server": "UPSTREAM/ADDRESS", "order": "drain"} or {…, "weight": 5}. The error says what
// is wrong.
std::expected<ServerCommand, std::string> read_server_command(std::string_view body);

}  // namespace baton::admin
