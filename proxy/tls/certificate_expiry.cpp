#include "proxy/tls/certificate_expiry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace baton::tls {
namespace {

constexpr std::int64_t soon_s = 14 * seconds_per_day;

// "2026-11-28 10:24 UTC"
std::string in_words(std::int64_t time_s) {
  const std::time_t time = time_s;
  std::tm utc{};
  if (::gmtime_r(&time, &utc) == nullptr) return std::to_string(time_s);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min);
}

std::string in_words(const std::vector<std::string>& names) {
  constexpr std::size_t shown_max = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), shown_max); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > shown_max) text += fmt::format(" and {} more", names.size() - shown_max);
  return text.empty() ? "no name" : text;
}

std::string days_in_words(std::int64_t days) {
  return days == 0 ? "within a day" : days == 1 ? "in 1 day" : fmt::format("in {} days", days);
}

}  // namespace

Validity validity_of(const Identity& identity) {
  return {identity.files.cert.path, identity.names, identity.valid_from_s, identity.valid_until_s};
}

bool expires_soon(const Validity& certificate, std::int64_t now_s) {
  return certificate.until_s - now_s < std::min(soon_s, (certificate.until_s - certificate.from_s) / 4);
}

std::int64_t days_left(std::int64_t until_s, std::int64_t now_s) {
  const std::int64_t left_s = until_s - now_s;
  return left_s >= 0 ? left_s / seconds_per_day : -((-left_s + seconds_per_day - 1) / seconds_per_day);
}

std::vector<Reminders::Reminder> Reminders::due(const std::vector<Validity>& certificates, std::int64_t now_s) {
  const std::int64_t today = now_s / seconds_per_day;
  std::vector<Reminder> reminders;
  for (const Validity& one : certificates) {
    const bool has_expired = one.until_s <= now_s;
    if (!has_expired && !expires_soon(one, now_s)) continue;
    const auto [told, is_first] = told_.try_emplace({one.path, one.until_s, has_expired}, today);
    if (!is_first && told->second >= today) continue;
    told->second = today;
    const std::string what =
        has_expired ? "has expired: it was valid until " + in_words(one.until_s) + ", and clients refuse it"
                    : fmt::format("expires {}: it is valid until {}", days_in_words(days_left(one.until_s, now_s)),
                                  in_words(one.until_s));
    reminders.push_back({has_expired, fmt::format("the certificate {} ({}) {}", one.path, in_words(one.names), what)});
  }
  // Those that are gone, or renewed, are of no more interest.
  std::erase_if(told_, [&](const auto& one) { return one.second < today; });
  return reminders;
}

}  // namespace baton::tls
