// Counts upgrades in the ledger, each once: one that completes is counted by its successor, any other by the process
// that goes on.
#pragma once

#include <string_view>

#include "proxy/admin/status.hpp"

namespace baton::proxy {

// Without memory some of it is not counted.
void count_completed(const handoff::Report& report) noexcept;
void count_canary(const state::CanaryRecord& canary) noexcept;
// With its canary.
void count_failed(const admin::LastUpgrade& upgrade, bool was_started) noexcept;

}  // namespace baton::proxy
