// What an instance tells a supervising parent, which keeps what a crash must not take down, and how the parent reads it
// (PROTOCOL.md, "A supervising parent"). One way only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"
#include "handoff/report.hpp"

namespace baton::handoff {

// We are the instance, and this is everything a replacement needs.
Result<void> tell_estate(Channel& line, const Side& self, const std::vector<std::string>& features, const Estate& estate,
                         Deadline deadline);

struct SucceededBy {
  std::int64_t pid = 0;            // of the successor, which is the instance now
  bool foreign = false;            // it is not a child of the sender
};
Result<void> tell_succession(Channel& line, const SucceededBy& successor, Deadline deadline);

// From a keeper that brings no instance. `application` says what it knows of the crash.
Result<void> tell_no_heir(Channel& line, const std::string& application, Deadline deadline);

// We are stopping deliberately or will never be the instance: our exit is not a crash.
Result<void> tell_end(Channel& line, Deadline deadline);

// The parent's side, one function per kind of frame. Hello begins an estate, Inherit adds to it; true: it is complete.
Result<bool> hear_estate(Frame& frame, Inheritance& inheritance);
Result<SucceededBy> hear_succession(const Frame& frame);      // Done
Result<std::string> hear_no_heir(const Frame& frame);         // Returned

}  // namespace baton::handoff
