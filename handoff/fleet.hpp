// The live connections of a server, and what a handover does with them: asks each to freeze, in batches, lets go of what
// was adopted, and resumes the rest. Belongs to one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "handoff/movable.hpp"
#include "handoff/parties.hpp"

namespace baton::handoff {

class Fleet {
 public:
  // ── What the server says ──────────────────────────────────────────────────────────────────────────────────────

  // A connection that has begun, and runs. What is adopted is added without this.
  void add(std::shared_ptr<Movable> connection);
  // It has ended. Destroys it, unless the server holds it as well; so this is the last a connection does. Removing what
  // is not here does nothing.
  void remove(const Movable& connection);
  // A connection that could not be frozen can be frozen now. Costs next to nothing while no handover is on.
  void look_again(const Movable& connection);

  std::size_t size() const { return running_.size() + frozen_.size(); }

  // ── What a handover says: Donor and Adopter (parties.hpp), for one parcel at a time ─────────────────────────────

  // From here on `wake` is called when freeze_next may find more.
  void begin_handover(std::function<void()> wake);
  void end_handover();
  Batch freeze_next(const Room& room);
  // Another process owns it.
  void adopted(ParcelId id);
  // It stays here, and is not asked again in this handover.
  void take_back(ParcelId id);

  void prepare(ParcelId id, std::shared_ptr<Movable> frozen);
  void start(ParcelId id);
  void drop(ParcelId id);

 private:
  using Serial = std::uint64_t;      // counts connections as they come

  std::optional<Serial> next_to_ask();
  void ask(Serial serial, Room& left, Batch& batch);
  std::shared_ptr<Movable> take_frozen(ParcelId id);

  std::map<Serial, std::shared_ptr<Movable>> running_;
  std::unordered_map<const Movable*, Serial> serials_;       // of those
  std::unordered_map<ParcelId, std::shared_ptr<Movable>> frozen_;
  Serial last_serial_ = 0;

  // Of the handover that is on.
  std::function<void()> wake_;
  Serial asked_up_to_ = 0;           // everyone once, in the order they came
  Serial ask_up_to_ = 0;             // who comes later is here to stay
  std::deque<Serial> look_again_;    // then those that called look_again
};

}  // namespace baton::handoff
