// For the few steps that must not be left out because memory is short at the moment: what is frozen must be taken back,
// the end of a conversation must be told.
#pragma once

#include <poll.h>

#include <new>

namespace baton::handoff {

// Tries until there is enough. `task` may be begun again.
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
