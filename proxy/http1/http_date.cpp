#include "proxy/http1/http_date.hpp"

#include <array>
#include <chrono>
#include <cstring>

namespace baton::http1 {

namespace {

using HttpDate = std::array<char, 29>;

HttpDate make_http_date(std::int64_t unix_time_s) {
  using namespace std::chrono;
  constexpr std::string_view days = "SunMonTueWedThuFriSat";
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const sys_seconds time{seconds{unix_time_s}};
  const sys_days day = floor<std::chrono::days>(time);
  const year_month_day calendar{day};
  const hh_mm_ss clock{time - day};

  HttpDate text;
  std::memcpy(text.data(), "Day, 00 Mon 0000 00:00:00 GMT", text.size());
  const auto number = [&text](std::size_t at, std::size_t digits, std::int64_t value) {
    for (; digits != 0; value /= 10) text[at + --digits] = static_cast<char>('0' + value % 10);
  };
  std::memcpy(text.data(), days.data() + 3 * weekday{day}.c_encoding(), 3);
  number(5, 2, unsigned{calendar.day()});
  std::memcpy(text.data() + 8, months.data() + 3 * (unsigned{calendar.month()} - 1), 3);
  number(12, 4, int{calendar.year()});
  number(17, 2, clock.hours().count());
  number(20, 2, clock.minutes().count());
  number(23, 2, clock.seconds().count());
  return text;
}

}  // namespace

// Most responses come in the same second as the one before.
std::string_view http_date(std::int64_t unix_time_s) {
  thread_local std::int64_t last_s = 0;
  thread_local HttpDate text = make_http_date(0);
  if (last_s != unix_time_s) {
    text = make_http_date(unix_time_s);
    last_s = unix_time_s;
  }
  return {text.data(), text.size()};
}

}  // namespace baton::http1
