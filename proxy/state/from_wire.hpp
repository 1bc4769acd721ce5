// A record of state.proto as a state. What cannot be is refused: a number out of its range, a field that is missing.
#pragma once

#include <cstdint>
#include <string_view>

#include "proxy/state/state.hpp"
#include "proxy/state/state.pb.h"

namespace baton::state {

// Times get `clock_offset_ms` added, and the keys of TLS legs are taken from the front of `secrets`. False: refused.
bool read(const wire::Connection& in, std::int64_t clock_offset_ms, std::string_view& secrets, ConnectionState& out);
bool read(const wire::IdleUpstream& in, std::int64_t clock_offset_ms, std::string_view& secrets, IdleUpstream& out);

}  // namespace baton::state
