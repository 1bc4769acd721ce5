// The errors of a conversation.
#pragma once

#include <exception>
#include <expected>
#include <new>
#include <string>
#include <string_view>
#include <system_error>

namespace baton::handoff {

enum class Fault {
  closed,       // the other side closed the channel, or died
  timed_out,
  malformed,    // bytes that are not a frame, or a message out of place
  refused,      // by the other side or our own role; `text` is the reason
  system,       // a system call failed
};

struct Error {
  Fault fault = Fault::system;
  std::string text;    // for humans: what happened and, where it helps, what to do
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Fault fault, std::string text) {
  return std::unexpected(Error{fault, std::move(text)});
}

// The exception's text for humans. For a thread that cannot start, the library says only that a resource is
// unavailable, also where it finds no memory for the stack. `what` is what could not be done. Of std::bad_alloc it makes
// a text that needs no memory.
inline std::string describe(const std::exception& error, std::string_view what = "cannot start a thread") {
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  if (system == nullptr || system->code() != std::errc::resource_unavailable_try_again) return error.what();
  return std::string(what) + ": " + error.what() +
         "; a limit of tasks (TasksMax, ulimit -u) or of memory (LimitAS, ulimit -v) is reached";
}

// Turns an exception of `step` (out of memory, threads or descriptors) into an ordinary error.
template <class Step>
auto as_result(Step step) -> decltype(step()) {
  try {
    return step();
  } catch (const std::exception& error) {
    try {
      return fail(Fault::system, describe(error));
    } catch (const std::bad_alloc&) {
      return fail(Fault::system, "out of memory");  // short enough to need none
    }
  }
}

}  // namespace baton::handoff
