// A second of local time as access logs write it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace baton::access_log {

struct LocalSecond {
  std::int64_t unix_s = std::numeric_limits<std::int64_t>::min();
  std::string common;      // 22/Nov/2026:09:21:34 +0000
  std::string iso_time;    // 2026-11-22T09:21:34
  std::string iso_offset;  // +00:00
};

// Valid until the thread's next call. Most lines fall into the second of the line before.
const LocalSecond& local_second(std::int64_t unix_s);

// 2026-11-22T09:21:34.123+00:00
void append_iso_time(std::string& out, std::int64_t unix_ms);

}  // namespace baton::access_log
