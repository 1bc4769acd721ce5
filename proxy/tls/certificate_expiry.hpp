// When certificates expire, and when to remind an operator of it. Times are seconds since 1970.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "proxy/tls/server_context.hpp"

namespace baton::tls {

struct Validity {
  std::string path;
  std::vector<std::string> names;
  std::int64_t from_s = 0;
  std::int64_t until_s = 0;
};
Validity validity_of(const Identity& identity);

inline constexpr std::int64_t seconds_per_day = 24 * 3600;

// Whether it expires in under 14 days; for one made for a short time, in the last quarter of that.
bool expires_soon(const Validity& certificate, std::int64_t now_s);
// Whole days until then; negative: it has expired.
std::int64_t days_left(std::int64_t until_s, std::int64_t now_s);

// Says once a day of each certificate that it has expired or soon will. A day begins at 00:00 UTC.
class Reminders {
 public:
  struct Reminder {
    bool has_expired = false;
    std::string text;
  };
  // Those due now, of all certificates in use.
  std::vector<Reminder> due(const std::vector<Validity>& certificates, std::int64_t now_s);

 private:
  using Key = std::tuple<std::string, std::int64_t, bool>;  // path, end, whether it has expired
  std::map<Key, std::int64_t> told_;                        // the day
};

}  // namespace baton::tls
