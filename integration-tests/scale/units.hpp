// The bytes on streams and tunnels: units of one length, each with its connection's number and its own, so that a byte
// that was lost, doubled, changed or sent to somebody else shows. A unit looks like a chunk of the chunked coding.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace baton::harness {

inline constexpr std::size_t unit_bytes = 70;

inline std::string unit(std::uint32_t id, std::uint64_t serial) {
  char text[unit_bytes + 1];
  std::snprintf(text, sizeof text, "40\r\nconnection %08x unit %016llx %022llx\r\n", id,
                static_cast<unsigned long long>(serial),
                static_cast<unsigned long long>((serial + 1) * (id + 1) * 0x9e3779b97f4a7c15u));
  return text;
}

// Bytes `from` to `from` + `bytes` of a connection's endless row of units.
inline std::string row_of_units(std::uint32_t id, std::uint64_t from, std::size_t bytes) {
  std::string row;
  for (std::uint64_t serial = from / unit_bytes; row.size() < bytes + unit_bytes; ++serial) row += unit(id, serial);
  return row.substr(from % unit_bytes, bytes);
}

}  // namespace baton::harness
