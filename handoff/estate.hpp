// The Inherit message in as many frames as its descriptors need: from a predecessor to its successor, and from an
// instance to a parent that keeps what a crash must not take down.
#pragma once

#include "handoff/channel.hpp"
#include "handoff/parties.hpp"

namespace baton::handoff {

Result<void> send_estate(Channel& channel, const Estate& estate, Deadline deadline);

// Fault::malformed: other descriptors came than are named; Fault::system: some were lost, since too few are free here.
Result<void> receive_estate(Channel& channel, Inheritance& inheritance, Deadline deadline);

// One frame of it, that has come already. True: it was the last.
Result<bool> take_inherit(Frame& frame, Inheritance& inheritance);

}  // namespace baton::handoff
