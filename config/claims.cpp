#include "config/claims.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <vector>

#include "config/address.hpp"

namespace baton::config {
namespace {

// Where an address is bound: a family ('4', '6', 'n' for a name whose family is unknown) and a host in it.
struct Place {
  char family;
  std::string host;  // "*" is every host of the family
};

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// Different spellings of one host are the same place.
Place v6_place(const std::string& host) {
  const std::size_t percent = host.find('%');
  in6_addr address{};
  inet_pton(AF_INET6, host.substr(0, percent).c_str(), &address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (IN6_IS_ADDR_UNSPECIFIED(&address)) return {'6', "*"};
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
    return {'4', text.data()};
  }
  inet_ntop(AF_INET6, &address, text.data(), text.size());
  return {'6', text.data() + (percent == std::string::npos ? "" : host.substr(percent))};
}

std::vector<Place> places_of(const Address& address) {
  if (address.host.empty()) return {{'4', "*"}, {'6', "*"}};
  if (address.host.find(':') != std::string::npos) return {v6_place(address.host)};
  if (address.host == "0.0.0.0") return {{'4', "*"}};
  if (is_ipv4(address.host)) return {{'4', address.host}};
  if (lower(address.host) == "localhost") return {{'4', "127.0.0.1"}, {'6', "::1"}};
  return {{'n', lower(address.host)}};
}

// The keys under which a claim is entered, and those that must be free for it.
struct Keys {
  std::vector<std::string> own;
  std::vector<std::string> rivals;
};

// Besides its own key each place enters "?", by which a wildcard sees that the port is in use.
Keys keys_of(const Address& address) {
  if (!address.unix_path.empty()) {
    const std::string key = "unix " + std::filesystem::path(address.unix_path).lexically_normal().string();
    return {{key}, {key}};
  }
  Keys keys;
  const auto key = [&](char family, std::string_view host) {
    return fmt::format("{} {} {}", address.port, family, host);
  };
  for (const Place& place : places_of(address)) {
    keys.own.push_back(key(place.family, place.host));
    keys.own.push_back(key(place.family, "?"));
    keys.rivals.push_back(key(place.family, place.host));
    if (place.family == 'n') {
      keys.rivals.insert(keys.rivals.end(), {key('4', "*"), key('6', "*")});
    } else if (place.host == "*") {
      keys.rivals.insert(keys.rivals.end(), {key(place.family, "?"), key('n', "?")});
    } else {
      keys.rivals.push_back(key(place.family, "*"));
    }
  }
  return keys;
}

}  // namespace

const Claim* Claims::add(const Claim& claim) {
  if (claim.address.unix_path.empty() && claim.address.port == 0) return nullptr;  // the kernel chooses a free one
  const Keys keys = keys_of(claim.address);
  for (const std::string& rival : keys.rivals) {
    if (const auto found = taken_.find(rival); found != taken_.end()) return &found->second;
  }
  for (const std::string& own : keys.own) taken_.emplace(own, claim);
  return nullptr;
}

}  // namespace baton::config
