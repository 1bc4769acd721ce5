#include "proxy/canary/selection.hpp"

#include <algorithm>

#include "proxy/rates/client_key.hpp"

namespace baton::canary {

namespace {

constexpr std::uint64_t connections_of_many = 8;
constexpr std::uint64_t part_of_many = 4;

}  // namespace

std::vector<std::string> shared_addresses(const ConnectionsByClient& connections) {
  std::uint64_t total = 0;
  for (const auto& [client, number] : connections) total += number;
  std::vector<std::string> shared;
  for (const auto& [client, number] : connections) {
    if (number >= connections_of_many && number * part_of_many > total) shared.push_back(client);
  }
  return shared;
}

Selection::Selection(const state::CanaryClients& clients)
    : share_(clients.share), divided_(clients.divided.begin(), clients.divided.end()) {
  std::copy_n(clients.key.begin(), std::min(clients.key.size(), key_.bytes.size()), key_.bytes.begin());
}

std::uint64_t Selection::client_of(const state::ConnectionState& connection, bool is_trusted_proxy) const {
  const rates::ClientKey client(connection.client_address);
  const bool is_divided = is_trusted_proxy || client.bytes().empty() ||
                          (!divided_.empty() && divided_.contains(std::string(client.bytes())));
  if (!is_divided) return runtime::keyed_hash(key_, client.bytes());
  const std::uint64_t id = connection.id;
  return runtime::keyed_hash(key_, {reinterpret_cast<const char*>(&id), sizeof id});
}

}  // namespace baton::canary
