// Which clients try a successor first, and who counts as one client meanwhile. Both processes decide alike: the
// successor gets it with its inheritance.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "proxy/canary/share.hpp"
#include "proxy/runtime/keyed_hash.hpp"
#include "proxy/state/canary_clients.hpp"
#include "proxy/state/state.hpp"

namespace baton::canary {

// Connections by rates::ClientKey, of all workers.
using ConnectionsByClient = std::unordered_map<std::string, std::uint64_t>;

// The addresses that stand for many clients: each has more than a quarter of all connections, and at least eight.
std::vector<std::string> shared_addresses(const ConnectionsByClient& connections);

class Selection {
 public:
  explicit Selection(const state::CanaryClients& clients);

  // A client is an address, as limits count them; all of its connections go to the same process. A trusted proxy or
  // another address that stands for many clients is divided by connection, and so is a Unix socket.
  std::uint64_t client_of(const state::ConnectionState& connection, bool is_trusted_proxy) const;
  bool picks(std::uint64_t client) const { return share_.has(client); }

 private:
  runtime::HashKey key_;
  Share share_;
  std::unordered_set<std::string> divided_;
};

}  // namespace baton::canary
