// Numbers as the operator writes them: counts, shares (`5%`), sizes (`64k`), durations (`500ms`). Errors have no
// position and follow the name of the key.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace baton::config {

template <class T>
using Parsed = std::expected<T, std::string>;

// The allowed range, both ends included.
struct Bounds {
  std::uint64_t least;
  std::uint64_t most;
  bool zero_is_none = false;  // 0 is allowed as well and means "no limit"
};

inline constexpr std::uint64_t kibi = 1024;
inline constexpr std::uint64_t mebi = 1024 * kibi;
inline constexpr std::uint64_t gibi = 1024 * mebi;

// Whole decimal numbers: `100`.
Parsed<std::uint64_t> parse_count(std::string_view text, Bounds bounds);

// A percentage with up to two decimals, `5%` or `0.25%`, in hundredths of a percent. So are the bounds.
Parsed<std::uint16_t> parse_share(std::string_view text, Bounds bounds);

// Bytes, or a number with a binary unit: `512`, `64k`, `1m`, `1g`.
Parsed<std::uint64_t> parse_size(std::string_view text, Bounds bounds);

// A whole number and its unit: `500ms`, `5s`, `1m`, `1h`; `0` needs no unit. Bounds are in milliseconds.
Parsed<Milliseconds> parse_duration(std::string_view text, Bounds bounds);

// The shortest form that parses back to the same value.
std::string share_text(std::uint64_t hundredths);
std::string size_text(std::uint64_t bytes);
std::string duration_text(Milliseconds duration);

}  // namespace baton::config
