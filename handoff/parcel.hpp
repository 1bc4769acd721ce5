// What moves: one connection, or whatever a server calls so. The handover looks at nothing but its size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "handoff/secret_bytes.hpp"
#include "handoff/unique_fd.hpp"

namespace baton::handoff {

using ParcelId = std::uint64_t;

// On its way out. The descriptors stay the donor's: they are borrowed until it hears `adopted` or `take_back`.
struct Parcel {
  ParcelId id = 0;
  std::string label = {};               // what the report counts it under: "idle", "tunnel"
  std::int64_t frozen_at_us = 0;        // CLOCK_MONOTONIC, for the report's pauses
  std::vector<std::string> required_features = {};   // the successor must know all of them, or it refuses this parcel
  std::vector<int> descriptors = {};
  std::string payload = {};
  SecretBytes secrets = {};

  std::size_t bytes() const { return payload.size() + secrets.size(); }
};

// Received. The descriptors are the adopter's to close or to keep.
struct ReceivedParcel {
  ParcelId id = 0;
  std::vector<std::string> required_features;
  std::vector<UniqueFd> descriptors;
  std::string payload;
  SecretBytes secrets;
};

}  // namespace baton::handoff
