// One coarse timer wheel per thread. Moving a deadline later costs one store: the entry is checked when its old slot
// comes round, and is moved then. So reads and writes need no timer operation.
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

  // Called once the deadline has passed, about a tenth of a second late at most; the entry is no longer in the wheel.
  virtual void on_deadline() = 0;

 protected:
  virtual ~DeadlineEntry() { unlink(); }

 private:
  friend class Deadlines;
  void unlink();

  DeadlineEntry* previous_ = nullptr;
  DeadlineEntry* next_ = nullptr;
  std::int64_t at_ms_ = no_deadline;
  std::int64_t place_ms_ = no_deadline;     // when its slot in the wheel comes round
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

  // Calls every entry whose time has come.
  void advance(std::int64_t now_ms);

 private:
  static constexpr std::int64_t slot_ms = 64;
  static constexpr std::int64_t slots = 512;      // half a minute; later deadlines wait in the last slot and move on

  struct Slot final : DeadlineEntry {
    Slot();
    void on_deadline() override {}
  };
  void place(DeadlineEntry& entry);

  std::array<Slot, slots> wheel_;
  std::int64_t turn_;                             // the slot number, counted from 0, up to which everything is done
};

}  // namespace baton::runtime
