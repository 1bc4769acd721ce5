// When a request is sent again.
#pragma once

#include <cstdint>

namespace baton::config {

enum RetryOn : std::uint8_t { on_connect = 1, on_reset = 2, on_502 = 4, on_503 = 8, on_504 = 16 };

struct Retries {
  std::uint8_t attempts = 2;  // in all, the first one included
  std::uint8_t on = on_connect | on_reset | on_502 | on_503 | on_504;
  std::uint8_t budget = 20;  // percent of the requests of the last ten seconds
  bool operator==(const Retries&) const = default;
};

}  // namespace baton::config
