// How long a supervisor waits, and when it gives up.
#pragma once

#include <chrono>
#include <cstdint>

namespace baton::supervisor {

// It gives up after this many crashes in a row, each less than `lives_well` after the service had begun again.
inline constexpr unsigned crashes_in_a_row_max = 5;
inline constexpr std::chrono::seconds lives_well{10};

// The first replacement starts at once, the second after `first_pause`; each later pause is twice the one before.
inline constexpr std::chrono::milliseconds first_pause{1000};

// A process that dies during an upgrade may leave a successor that continues, or a predecessor that takes the service
// back.
inline constexpr std::chrono::milliseconds candidate_grace{3000};

// A keeper that has not brought another instance by then is ended, and the instance is replaced without it.
// As long as a successor of its own lives, it gets more such rounds.
inline constexpr std::chrono::seconds keeper_patience{10};
inline constexpr int keeper_rounds_max = 11;
// What the last worker has left is removed by whoever has the lock.
inline constexpr std::chrono::milliseconds lock_patience{1000};

// Told to stop a second time, a worker ends at once; one that has not ended after this is killed.
inline constexpr std::chrono::seconds last_patience{5};

// Milliseconds of CLOCK_MONOTONIC.
std::int64_t now_ms();

}  // namespace baton::supervisor
