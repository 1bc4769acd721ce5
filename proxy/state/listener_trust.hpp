// What an instance passes on of a listener that trusts proxies of its own.
#pragma once

#include <string>
#include <vector>

namespace baton::state {

struct ListenerTrust {
  std::string listener;
  std::vector<std::string> networks;  // as `10.0.0.0/8`
  bool unix_sockets = false;
  bool operator==(const ListenerTrust&) const = default;
};

}  // namespace baton::state
