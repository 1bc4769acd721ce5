// Counts upgrades in the ledger, each once: one that completes is counted by its successor, any other by the process
// that goes on.
#pragma once

#include <string_view>

#include "proxy/admin/status.hpp"

namespace baton::proxy {

// Without memory some of it is not counted.
void count_completed(const handoff::Report& report) noexcept;
// `result`: as `last_upgrade` in the status says. It could not even be started: no report is needed.
void count_failed(std::string_view result, const handoff::Report& report, bool was_started) noexcept;

}  // namespace baton::proxy
