// Records as a neighbour of another version would write them, made from ours at the level of protobuf's wire format.
#pragma once

#include <string>
#include <string_view>

#include "handoff/channel.hpp"

namespace baton::versions {

// Adds unknown fields of every wire type to the record and to every message in it, including payloads, and gives a
// Hello unknown features and a range of protocols that extends beyond ours.
std::string as_newer(handoff::Kind kind, std::string_view record);

// Removes the fields that a successor or predecessor can do without.
std::string as_older(handoff::Kind kind, std::string_view record);

}  // namespace baton::versions
