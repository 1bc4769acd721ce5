// What an instance tells a parent that keeps what a crash must not take down, and how the parent reads it (PROTOCOL.md,
// "A supervising parent"). One way only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

// It is the instance, and this is all that a replacement needs.
Result<void> tell_estate(Channel& line, const Side& self, const std::vector<std::string>& features, const Estate& estate,
                         Deadline deadline);

struct Succession {
  std::int64_t pid = 0;            // of the successor, who is the instance now
  bool foreign = false;            // it is no child of the sender
};
Result<void> tell_succession(Channel& line, const Succession& succession, Deadline deadline);

// It stops of its own accord, or will never be the instance: its end is no crash.
Result<void> tell_end(Channel& line, Deadline deadline);

// The parent's side, by the frame's kind. Hello begins an estate, Inherit adds to it; true: that was the last of it.
Result<bool> hear_estate(Frame& frame, Inheritance& inheritance);
Result<Succession> hear_succession(const Frame& frame);      // Done

}  // namespace baton::handoff
