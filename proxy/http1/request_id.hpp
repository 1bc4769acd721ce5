// The marks by which a request is found again in the logs of several programs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "proxy/http1/random_bytes.hpp"

namespace baton::http1 {

inline constexpr std::size_t request_id_bytes_max = 128;

// 1 to 128 letters, digits and `._~+/=:@-`: nothing that ends a field, a line of a log or a quoted text.
bool is_request_id(std::string_view text);

// A UUID of version 7 (RFC 9562 §5.7). `unix_ms`: milliseconds since 1970.
std::array<char, 36> make_request_id(std::int64_t unix_ms, RandomBytes& random);

// A traceparent (W3C Trace Context §3.2) that begins a trace. It says `sampled`, because most tracers behind us follow
// that flag and would record nothing without it.
std::array<char, 55> make_traceparent(RandomBytes& random);

}  // namespace baton::http1
