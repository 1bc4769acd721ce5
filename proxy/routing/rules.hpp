// The numbers that a request is served by.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "config/config.hpp"

namespace baton::routing {

// From the configuration, in milliseconds and bytes; 0 = no limit.
struct Rules {
  std::uint64_t head_bytes = 32 * 1024;
  std::uint64_t uri_bytes = 8 * 1024;
  std::uint64_t fields = 100;
  std::uint64_t body_bytes = 0;
  std::uint64_t requests_per_connection = 0;
  std::uint64_t buffer_bytes = 32 * 1024;
  std::int64_t head_ms = 15'000;
  std::int64_t body_ms = 60'000;
  std::int64_t send_ms = 60'000;
  std::int64_t idle_ms = 75'000;
  std::int64_t connect_ms = 5'000;
  std::int64_t response_ms = 60'000;
  std::int64_t response_body_ms = 300'000;
  std::int64_t total_ms = 0;
  std::int64_t tunnel_idle_ms = 3'600'000;
  std::optional<config::Retries> retries{};  // nothing: once on each server, and no budget
  bool keep_access = false;                  // fill in AccessRecord
  std::uint16_t access_share = config::access_log_all;  // of its lines, those that are written
  // What the access log's format asks of the request's head; nullptr: nothing.
  std::shared_ptr<const std::vector<config::Template::Part>> captured{};
  bool underscores = false;                  // forward request fields with an underscore in their names
  bool operator==(const Rules&) const = default;

  // A request that was sent and then lost may be sent again, if it is idempotent.
  bool sends_lost_again() const { return !retries || (retries->attempts > 1 && (retries->on & config::on_reset) != 0); }
};

// Those that hold until a request has its route, and for tcp listeners.
Rules rules_of(const config::Config& config);

// The same with what a route says of its own.
Rules rules_of(const config::Route& route, const Rules& global);

}  // namespace baton::routing
