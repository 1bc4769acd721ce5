// What clients ask and what must come back. Origin and clients share only these pure functions, so an answer that was
// lost, doubled, cut, mixed up or altered on its way cannot pass for the right one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace baton::demo {

// "/client/12/request/34"
std::string request_target(unsigned client, std::uint64_t serial);

// The whole body that answers `target`: it names the target in every line, and its length (one line to some
// kilobytes) depends on it.
std::string expected_body(std::string_view target);

// The response field that repeats the target.
inline constexpr std::string_view echo_field = "X-Demo-Target";

}  // namespace baton::demo
