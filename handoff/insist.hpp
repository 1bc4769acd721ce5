// For the few steps that must not be skipped when memory runs short: taking back what is frozen, reporting the end of a
// conversation.
#pragma once

#include <poll.h>

#include <new>

namespace baton::handoff {

// Retries until there is enough memory. `task` must be safe to restart.
template <class Task>
auto insist(Task&& task) {
  constexpr int pause_ms = 10;
  for (;;) {
    try {
      return task();
    } catch (const std::bad_alloc&) {
      ::poll(nullptr, 0, pause_ms);
    }
  }
}

}  // namespace baton::handoff
