// One coarse timer wheel for each thread. Moving a deadline later costs a store: an entry is looked at when its old
// place comes round, and moves on then. So there is no timer operation per read or write.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace baton::runtime {

inline constexpr std::int64_t no_deadline = std::numeric_limits<std::int64_t>::max();

class Deadlines;

class DeadlineEntry {
 public:
  DeadlineEntry() = default;
  DeadlineEntry(const DeadlineEntry&) = delete;
  DeadlineEntry& operator=(const DeadlineEntry&) = delete;

  // Called once the deadline has passed, at most about a tenth of a second late; the entry is not in the wheel then.
  virtual void on_deadline() = 0;

 protected:
  virtual ~DeadlineEntry() { unlink(); }

 private:
  friend class Deadlines;
  void unlink();

  DeadlineEntry* previous_ = nullptr;
  DeadlineEntry* next_ = nullptr;
  std::int64_t at_ms_ = no_deadline;
  std::int64_t place_ms_ = no_deadline;     // when its place in the wheel comes round
};

class Deadlines {
 public:
  explicit Deadlines(std::int64_t now_ms);

  void set(DeadlineEntry& entry, std::int64_t at_ms) {
    entry.at_ms_ = at_ms;
    if (at_ms < entry.place_ms_) place(entry);
  }
  void clear(DeadlineEntry& entry) {
    entry.unlink();
    entry.at_ms_ = no_deadline;
  }

  // Calls everybody whose time has come.
  void advance(std::int64_t now_ms);

 private:
  static constexpr std::int64_t slot_ms = 64;
  static constexpr std::int64_t slots = 512;      // half a minute; later deadlines wait in the last place and move on

  struct Slot final : DeadlineEntry {
    Slot();
    void on_deadline() override {}
  };
  void place(DeadlineEntry& entry);

  std::array<Slot, slots> wheel_;
  std::int64_t turn_;                             // the slot number, counted from 0, up to which all is done
};

}  // namespace baton::runtime
