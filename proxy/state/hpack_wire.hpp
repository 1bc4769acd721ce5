// A decoder's table as a record of state.proto.
#pragma once

#include <string>
#include <string_view>

#include "proxy/state/hpack_table.hpp"

namespace baton::state {

class Reader;
class Writer;

void write(const HpackTable& table, Writer& out);

// False: its numbers or its entries exceed their limits.
bool read(Reader& in, HpackTable& out);

// The same by itself.
std::string encode(const HpackTable& table);
bool decode(std::string_view record, HpackTable& out);

}  // namespace baton::state
