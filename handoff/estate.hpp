// The Inherit message, in as many frames as its descriptors need: from a predecessor to its successor, and from an
// instance to a supervising parent, which keeps what a crash must not take down.
#pragma once

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"

namespace baton::handoff {

Result<void> send_estate(Channel& channel, const Estate& estate, Deadline deadline);

// Fault::malformed: the descriptors do not match the record; Fault::system: this process had too few free descriptors.
Result<void> receive_estate(Channel& channel, Inheritance& inheritance, Deadline deadline);

// Takes one received frame of it. True: it was the last.
Result<bool> take_inherit(Frame& frame, Inheritance& inheritance);

}  // namespace baton::handoff
