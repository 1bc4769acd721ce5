// The unit that moves: one connection, or whatever a server treats as one. The handover looks only at its size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "handoff/secret_bytes.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

using ParcelId = std::uint64_t;

// Outgoing. The descriptors stay the donor's and are borrowed until it hears `adopted` or `take_back`.
struct Parcel {
  ParcelId id = 0;
  std::string label = {};               // the report counts parcels by it: "idle", "tunnel"
  std::int64_t frozen_at_us = 0;        // CLOCK_MONOTONIC, for the report's pauses
  std::vector<std::string> required_features = {};   // the successor refuses a parcel with unknown ones
  std::vector<int> descriptors = {};
  std::string payload = {};
  SecretBytes secrets = {};

  std::size_t bytes() const { return payload.size() + secrets.size(); }
};

// Received. The adopter owns the descriptors.
struct ReceivedParcel {
  ParcelId id = 0;
  std::vector<std::string> required_features;
  std::vector<UniqueFd> descriptors;
  std::string payload;
  SecretBytes secrets;
};

}  // namespace baton::handoff
