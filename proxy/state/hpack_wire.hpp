// A decoder's table as a record of state.proto.
#pragma once

#include "proxy/state/hpack_table.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {

void write(const HpackTable& table, wire::HpackTable& out);

// False: its numbers or its entries exceed their limits.
bool read(const wire::HpackTable& in, HpackTable& out);

}  // namespace baton::state
