// The time in the format of a Date field: IMF-fixdate (RFC 9110 §5.6.7), 29 bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace baton::http1 {

// Valid until this thread's next call.
std::string_view http_date(std::int64_t unix_time_s);

}  // namespace baton::http1
