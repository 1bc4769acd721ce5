#include "proxy/supervisor/crash_streak.hpp"

#include <algorithm>

#include "proxy/supervisor/terms.hpp"

namespace baton::supervisor {

void CrashStreak::service_ends(std::int64_t now_ms) {
  if (std::chrono::milliseconds(now_ms - served_since_ms) >= lives_well) crashes = 0;
  served_since_ms = now_ms;
}

bool CrashStreak::is_too_long() const { return crashes >= crashes_in_a_row_max; }

std::chrono::milliseconds CrashStreak::pause() const {
  if (crashes <= 1) return std::chrono::milliseconds(0);
  return first_pause * (1 << (std::min(crashes, crashes_in_a_row_max) - 2));
}

}  // namespace baton::supervisor
