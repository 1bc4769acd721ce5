// ConnectionState to bytes and back: what a parcel's payload means. The wire format is state.proto; it grows by
// adding fields, and what an older version could not serve is named in the parcel's required features.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proxy/state/state.hpp"

namespace baton::state {

using Moved = std::variant<ConnectionState, IdleUpstream>;

// `now` of the two processes differs between time namespaces: decoding adds `clock_offset_ms` to each time.
std::string encode(const ConnectionState& state);
std::string encode(const IdleUpstream& idle);

// Nothing: these bytes are no whole valid state (cut short, unknown phase, a number out of its range).
std::optional<Moved> decode(std::string_view bytes, std::int64_t clock_offset_ms);

// How a state is called in reports and status: idle, head, exchange, tunnel, closing.
std::string_view phase_name(const ConnectionState& state);

}  // namespace baton::state
