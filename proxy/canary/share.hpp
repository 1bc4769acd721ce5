// Which clients are the canary's: a share of 65,536 slots, to which clients are dealt by a hash of their address.
//
// The slot is the unit of everything: of who is moved (Share) and of who is counted as one client (Tally). So clients
// that have one slot are on one side, and both sides lose the same part of their clients to shared slots.
// The hash is keyed, with a key that is new for each canary: then which clients are the canary's is chance, and on that
// the comparison rests.
#pragma once

#include <algorithm>
#include <cstdint>

namespace baton::canary {

inline constexpr std::uint32_t slot_count = 65'536;

constexpr std::uint32_t slot_of(std::uint64_t client_hash) {
  return static_cast<std::uint32_t>(client_hash >> 48);
}

class Share {
 public:
  // In hundredths of a percent of the clients, at most 10,000; rounded to slots, of which it has one at least.
  explicit constexpr Share(std::uint16_t hundredths_of_percent)
      : slots_(std::clamp<std::uint32_t>((hundredths_of_percent * slot_count + 5'000) / 10'000, 1, slot_count)) {}

  constexpr bool has(std::uint64_t client_hash) const { return slot_of(client_hash) < slots_; }
  // Of the slots, exactly: greater than 0, at most 1.
  constexpr double fraction() const { return static_cast<double>(slots_) / slot_count; }
  bool operator==(const Share&) const = default;

 private:
  std::uint32_t slots_;
};

}  // namespace baton::canary
