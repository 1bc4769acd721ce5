// The frame of each step of a connection, for the files of Connection only.
#pragma once

#include <exception>

#include "proxy/worker/connection.hpp"
#include "proxy/worker/worker.hpp"

namespace baton::proxy {

// Half-way through a step the state is inconsistent, so the connection can only be ended.
template <class Step>
void Connection::guarded(Step step) noexcept {
  const keeper::Mark mark(worker_.running(), client_descriptor());
  try {
    step();
  } catch (const std::exception& error) {
    worker_.forget_refusal();
    worker_.note_failure(error, &state_);
    if (closed_) return;
    note_ending(state::Ending::memory);
    close(true);
  }
}

}  // namespace baton::proxy
