// How many connections each client has in this process, in memory that a successor can read: while it takes over, it
// counts those that have not moved yet, too. Afterwards the counts of both are its own.
//
// A count is one word beside a part of its key's hash, in a table as that of rates. A client for whom the eight places
// of its line leave no room is not counted; with 260,000 places that takes about 100,000 clients at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "handoff/unique_fd.hpp"
#include "proxy/rates/hashed_lines.hpp"

namespace baton::rates {

// The count of one connection, which ends with this object. It must not outlive the Occupancy.
class Place {
 public:
  Place() = default;  // counts nothing
  explicit Place(std::uint64_t* word) : word_(word) {}
  Place(Place&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    leave();
    word_ = std::exchange(other.word_, nullptr);
    return *this;
  }
  ~Place() { leave(); }

  explicit operator bool() const { return word_ != nullptr; }
  void leave();

 private:
  std::uint64_t* word_ = nullptr;
};

class Occupancy {
 public:
  // Without memory, and then nobody is counted.
  Occupancy() = default;

  // Has memory from now on. Throws std::system_error.
  void make_room();
  // For a successor; -1: there is no memory. Stays ours.
  int to_pass_on() const;

  // The predecessor's, whose counts are added to ours until `forget_predecessor`. At most once. False: it is nothing of
  // the kind.
  bool watch(handoff::UniqueFd memory);
  void forget_predecessor() { predecessor_.store(nullptr, std::memory_order_relaxed); }

  struct Entered {
    Place place;
    std::uint64_t count = 0;  // with this one
    std::uint64_t here = 0;   // of these, without the predecessor's
  };
  // One more connection of the client. Any thread; never waits.
  Entered enter(std::string_view client) const;

 private:
  mutable std::mutex mutex_;  // guards the two that own
  std::unique_ptr<HashedLines> owned_;
  std::unique_ptr<HashedLines> watched_;  // mapped to the end: a worker may be reading it
  std::atomic<const HashedLines*> memory_ = nullptr;
  std::atomic<const HashedLines*> predecessor_ = nullptr;
};

}  // namespace baton::rates
