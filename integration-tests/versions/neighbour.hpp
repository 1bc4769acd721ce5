// Records as a neighbour of another version would write them, made from ours on the level of protobuf's wire format.
#pragma once

#include <string>
#include <string_view>

#include "handoff/channel.hpp"

namespace baton::versions {

// With fields that nobody knows, of every wire type, in the record and in every message in it, payloads too; and a
// Hello with unknown features and a range of protocols that goes beyond ours.
std::string as_newer(handoff::Kind kind, std::string_view record);

// Without the fields that a successor or predecessor can do without.
std::string as_older(handoff::Kind kind, std::string_view record);

}  // namespace baton::versions
