// Lines of the event log about what may fail for thousands of connections at a time: a process writes at most one a
// second of each kind, and the next one says how many were left out.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "handoff/guarded.hpp"

namespace baton::proxy {

class FailureLines {
 public:
  enum class Kind {
    connect,     // to a server: by its address
    server,      // a request failed on it: the same
    tls,         // a client's
    arrival,     // the PROXY header or ClientHello of a client, or its access
    too_many,    // connections of one client
    http2,       // a client breaks the protocol, or floods us
    connection,  // to a server, once it is established: by its address
  };
  // The end of the line; nullopt: it is left out. Any thread.
  std::optional<std::string> next(Kind kind, std::string_view about, std::int64_t now_ms);
  // The configuration has changed, and with it the servers.
  void forget() { *lines_.lock() = {}; }

 private:
  struct Line {
    std::int64_t next_ms = 0;
    std::uint64_t left_out = 0;
  };
  using Lines = std::map<std::string, Line, std::less<>>;
  static constexpr std::size_t kinds = 7;
  handoff::Guarded<std::array<Lines, kinds>> lines_;
};

// The same for lines that are written when there may be no memory. Any thread.
class LineGate {
 public:
  bool opens(std::int64_t now_ms, std::int64_t every_ms) noexcept {
    std::int64_t next_ms = next_ms_.load(std::memory_order_relaxed);
    return now_ms >= next_ms && next_ms_.compare_exchange_strong(next_ms, now_ms + every_ms, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> next_ms_{0};
};

}  // namespace baton::proxy
