// States as records of state.proto. Invalid records are refused: a number out of range, a missing field.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/state/state.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {

void write(const ConnectionState& state, wire::Connection& out);
void write(const IdleUpstream& idle, wire::IdleUpstream& out);

// Adds `clock_offset_ms` to times and takes the keys of TLS legs from the front of `secrets`. False: refused.
bool read(const wire::Connection& in, std::int64_t clock_offset_ms, std::string_view& secrets, ConnectionState& out);
bool read(const wire::IdleUpstream& in, std::int64_t clock_offset_ms, std::string_view& secrets, IdleUpstream& out);

}  // namespace baton::state
