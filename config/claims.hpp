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

// The addresses taken so far. IPv6 sockets are bound with IPV6_V6ONLY, so `[::]:80` leaves `0.0.0.0:80` free, and `:80`
// takes both. A wildcard takes the whole port of its family. A host name is not resolved and counts as both families.
class Claims {
 public:
  // Takes the address, or returns the earlier claim that conflicts with it (valid until the next call).
  const Claim* add(const Claim& claim);

 private:
  std::map<std::string, Claim, std::less<>> taken_;
};

}  // namespace baton::config
