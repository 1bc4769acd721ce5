#include "proxy/runtime/deadlines.hpp"

#include <algorithm>

namespace baton::runtime {

void DeadlineEntry::unlink() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
  place_ms_ = no_deadline;
}

// A slot is a ring's head; it points to itself when empty.
Deadlines::Slot::Slot() {
  previous_ = next_ = this;
}

Deadlines::Deadlines(std::int64_t now_ms) : turn_(now_ms / slot_ms) {}

void Deadlines::place(DeadlineEntry& entry) {
  entry.unlink();
  const std::int64_t wanted = entry.at_ms_ / slot_ms + 1;
  const std::int64_t turn = std::clamp(wanted, turn_ + 1, turn_ + slots - 1);
  DeadlineEntry& head = wheel_[static_cast<std::size_t>(turn % slots)];
  entry.place_ms_ = turn * slot_ms;
  entry.next_ = &head;
  entry.previous_ = head.previous_;
  head.previous_->next_ = &entry;
  head.previous_ = &entry;
}

void Deadlines::advance(std::int64_t now_ms) {
  for (const std::int64_t now_turn = now_ms / slot_ms; turn_ < now_turn;) {
    ++turn_;
    DeadlineEntry& head = wheel_[static_cast<std::size_t>(turn_ % slots)];
    // A called entry may place others, but never in this slot: the earliest slot is one turn later.
    while (head.next_ != &head) {
      DeadlineEntry& entry = *head.next_;
      entry.unlink();
      if (entry.at_ms_ == no_deadline) continue;
      if (entry.at_ms_ > now_ms) {
        place(entry);
      } else {
        entry.on_deadline();
      }
    }
  }
}

}  // namespace baton::runtime
