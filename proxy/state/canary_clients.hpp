// The clients that try a successor first, as a predecessor tells it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace baton::state {

struct CanaryClients {
  std::string key;                   // 16 bytes, by which clients are chosen
  std::uint16_t share = 0;           // of the clients, in hundredths of a percent
  std::vector<std::string> divided;  // clients that stand for many: their connections are chosen one by one
  bool operator==(const CanaryClients&) const = default;
};

}  // namespace baton::state
