// How patient a supervisor is.
#pragma once

#include <chrono>
#include <cstdint>

namespace baton::supervisor {

// So many crashes in a row, each less than `lives_well` after the service had begun anew, and it gives up.
inline constexpr unsigned crashes_in_a_row_max = 5;
inline constexpr std::chrono::seconds lives_well{10};

// The first replacement starts at once, the second after `first_pause`, and each pause is twice the one before.
inline constexpr std::chrono::milliseconds first_pause{1000};

// Who dies in the middle of an upgrade may leave a successor that goes on, or a predecessor that takes the service back.
inline constexpr std::chrono::milliseconds candidate_grace{3000};

// Told to stop a second time, a worker ends at once; one that has not by then is killed.
inline constexpr std::chrono::seconds last_patience{5};

// CLOCK_MONOTONIC
std::int64_t now_ms();

}  // namespace baton::supervisor
