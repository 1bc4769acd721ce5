#include "proxy/access_log/local_time.hpp"

#include <fmt/format.h>
#include <time.h>

#include <array>
#include <iterator>
#include <string_view>

namespace baton::access_log {

const LocalSecond& local_second(std::int64_t unix_s) {
  static constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  thread_local LocalSecond last;
  if (last.unix_s == unix_s) return last;
  const time_t time = unix_s;
  tm local{};
  ::localtime_r(&time, &local);
  const char sign = local.tm_gmtoff < 0 ? '-' : '+';
  const long offset_minutes = (local.tm_gmtoff < 0 ? -local.tm_gmtoff : local.tm_gmtoff) / 60;
  const auto clock = fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
  last.unix_s = unix_s;
  last.common =
      fmt::format("{:02}/{}/{}:{} {}{:02}{:02}", local.tm_mday, months.at(static_cast<std::size_t>(local.tm_mon)),
                  local.tm_year + 1900, clock, sign, offset_minutes / 60, offset_minutes % 60);
  last.iso_time = fmt::format("{:04}-{:02}-{:02}T{}", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday, clock);
  last.iso_offset = fmt::format("{}{:02}:{:02}", sign, offset_minutes / 60, offset_minutes % 60);
  return last;
}

void append_iso_time(std::string& out, std::int64_t unix_ms) {
  const LocalSecond& second = local_second(unix_ms / 1000);
  fmt::format_to(std::back_inserter(out), "{}.{:03}{}", second.iso_time, unix_ms % 1000, second.iso_offset);
}

}  // namespace baton::access_log
