// Which server of an upstream a request goes to, as configured.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace baton::config {

enum class Balance { round_robin, least_connections, random_two, hash };

// What `balance: hash` looks at.
struct HashBy {
  enum class What { client, header, cookie, path, uri };
  What what = What::client;
  std::string name;  // of the header or cookie
  bool operator==(const HashBy&) const = default;
};

enum class CookieSecure { automatic, always, never };  // automatic: if the client uses TLS
enum class SameSite { lax, strict, none };

struct Sticky {
  std::string cookie = "BATON_SERVER";
  CookieSecure secure = CookieSecure::automatic;
  SameSite same_site = SameSite::lax;
  std::chrono::milliseconds max_age{0};  // 0: for the browser's session
  bool operator==(const Sticky&) const = default;
};

struct Queue {
  std::uint64_t at_most = 1'000;
  std::chrono::milliseconds wait{5'000};
  bool operator==(const Queue&) const = default;
};

// Of connections to servers.
struct KeepAlive {
  std::uint64_t requests = 0;                     // on one connection; 0: no limit
  std::chrono::milliseconds age{0};               // 0: no limit
  std::optional<std::chrono::milliseconds> idle;  // nothing: timeouts.upstream_idle
  std::optional<std::uint64_t> connections;       // idle ones to each server, kept by each worker; nothing: auto
  bool operator==(const KeepAlive&) const = default;
};

enum class WhenNoneIsUp { try_all, refuse };

struct Balancing {
  Balance balance = Balance::round_robin;
  HashBy hash;
  std::optional<Sticky> sticky;
  std::chrono::milliseconds slow_start{0};  // 0: off
  std::optional<Queue> queue;
  KeepAlive keep_alive;
  WhenNoneIsUp when_none_is_up = WhenNoneIsUp::try_all;
  bool operator==(const Balancing&) const = default;
};

}  // namespace baton::config
