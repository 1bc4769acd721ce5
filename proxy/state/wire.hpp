// States as records of state.proto. Invalid records are refused: a number out of range, a missing field. `encode` is
// declared in codec.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/state/codec.hpp"

namespace baton::state {

// Adds `clock_offset_ms` to times and takes the keys of TLS legs from the front of `secrets`. Nothing: it is refused.
std::optional<Moved> read(std::string_view record, std::int64_t clock_offset_ms, std::string_view& secrets);

}  // namespace baton::state
