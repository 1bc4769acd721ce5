// Writes a state as a record of state.proto, without keys (see codec.hpp).
#pragma once

#include "proxy/state/state.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {

void write(const ConnectionState& state, wire::Connection& out);
void write(const IdleUpstream& idle, wire::IdleUpstream& out);

}  // namespace baton::state
