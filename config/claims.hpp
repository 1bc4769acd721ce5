// Which addresses cannot be bound side by side.
#pragma once

#include <map>
#include <string>

#include "config/config.hpp"

namespace baton::config {

// Something that wants to listen on an address.
struct Claim {
  Address address;
  Position where;
  std::string who;  // "listener `web`"
};

// The addresses that are taken so far. Sockets of IPv6 are bound with IPV6_V6ONLY, so `[::]:80` leaves `0.0.0.0:80`
// free and `:80` is both. The wildcard of a family takes the whole port from it; a host name, not being resolved, is
// taken to be of both families.
class Claims {
 public:
  // Takes the address, or gives the earlier claim that stands in its way (valid until the next call).
  const Claim* add(const Claim& claim);

 private:
  std::map<std::string, Claim, std::less<>> taken_;
};

}  // namespace baton::config
