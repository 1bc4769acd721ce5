// The live connections of a server. During a handover it freezes them in batches, releases those that were adopted and
// resumes the rest. For a crash it keeps the parcel of each. Belongs to one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "handoff/movable.hpp"
#include "handoff/parties.hpp"

namespace baton::handoff {

class Kept;

class Fleet {
 public:
  // ── What the server says ──────────────────────────────────────────────────────────────────────────────────────

  // A new connection that is running. Adopted connections are added without this.
  void add(std::shared_ptr<Movable> connection);
  // It has ended. Destroys it unless the server holds it as well, so a connection that calls this must do nothing after
  // it. Does nothing if the connection is not here.
  void remove(const Movable& connection);
  // A connection that could not be frozen can be now. Costs next to nothing outside of a handover.
  void look_again(const Movable& connection);

  std::size_t size() const { return running_.size() + frozen_.size(); }

  // ── What Upgradable says ────────────────────────────────────────────────────────────────────────────────────────

  // From now on it publishes their parcels there; null: no more. Only while there are no connections, unless null.
  void keep_in(Kept* kept) { kept_ = kept; }

  // ── What a handover says: Donor and Adopter (parties.hpp), for one parcel at a time ─────────────────────────────

  // Until end_handover, `wake` is called when freeze_next may find more.
  void begin_handover(std::function<void()> wake);
  void end_handover();
  Batch freeze_next(const Room& room);
  // Another process owns it.
  void adopted(ParcelId id);
  // It stays here and is not asked again in this handover.
  void take_back(ParcelId id);

  void prepare(ParcelId id, std::shared_ptr<Movable> frozen);
  void start(ParcelId id);
  void drop(ParcelId id);

 private:
  friend class Step;
  using Serial = std::uint64_t;      // numbers connections in order of arrival
  struct Running {
    std::shared_ptr<Movable> connection;
    std::uint32_t place = 0;  // where its parcel is kept
    int steps = 0;            // that it is in
  };

  Serial enter(std::shared_ptr<Movable> connection);
  void publish(Running& running) noexcept;
  void check(const Running& running) noexcept;
  // 0: nothing is to be done at its end.
  Serial begin_step(const Movable& connection);
  void end_step(Serial serial, bool is_whole) noexcept;

  std::optional<Serial> next_to_ask();
  void ask(Serial serial, Room& left, Batch& batch);
  std::shared_ptr<Movable> take_frozen(ParcelId id);

  std::map<Serial, Running> running_;
  std::unordered_map<const Movable*, Serial> serials_;       // of those in running_
  std::unordered_map<ParcelId, std::shared_ptr<Movable>> frozen_;
  Serial last_serial_ = 0;
  Kept* kept_ = nullptr;  // outlives the connections
  unsigned steps_ = 0;    // begun

  // Of the current handover.
  std::function<void()> wake_;
  Serial asked_up_to_ = 0;           // first each connection once, in order of arrival
  Serial ask_up_to_ = 0;             // later arrivals stay in this process
  std::deque<Serial> look_again_;    // then those that called look_again
};

// As long as one lives, the connection is being run: put it at the top of every function that the poller or a timer
// calls for a connection. A crash meanwhile ends this connection, and no other; after it, the connection survives. In a
// process that survives no crashes it does nothing. The connection may end meanwhile.
class [[nodiscard]] Step {
 public:
  Step(Fleet& fleet, const Movable& connection)
      : fleet_(fleet), serial_(fleet.kept_ == nullptr ? 0 : fleet.begin_step(connection)) {}
  ~Step() {
    if (serial_ != 0) fleet_.end_step(serial_, std::uncaught_exceptions() == exceptions_);
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

 private:
  Fleet& fleet_;  // outlives it
  const Fleet::Serial serial_;
  const int exceptions_ = std::uncaught_exceptions();
};

}  // namespace baton::handoff
