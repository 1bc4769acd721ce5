// What may fail, and how: the errors of a conversation.
#pragma once

#include <exception>
#include <expected>
#include <string>
#include <system_error>

namespace baton::handoff {

enum class Fault {
  closed,       // the other side closed the channel, or died
  timed_out,
  malformed,    // bytes that are no frame, or a message that cannot stand here
  refused,      // the other side, or our own role, said no; `text` is its reason
  system,       // the kernel said no
};

struct Error {
  Fault fault = Fault::system;
  std::string text;    // for people: what happened and, where it helps, what to do
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Fault fault, std::string text) {
  return std::unexpected(Error{fault, std::move(text)});
}

// What was thrown, for people. The library says of a thread that it cannot start only that something is unavailable.
inline std::string describe(const std::exception& error) {
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  if (system == nullptr || system->code() != std::errc::resource_unavailable_try_again) return error.what();
  return std::string("cannot start a thread: ") + error.what() + "; a limit of tasks is reached (TasksMax, ulimit -u)";
}

// What is thrown on the way (memory, threads and descriptors run out) is an error like any other.
template <class Step>
auto as_result(Step step) -> decltype(step()) {
  try {
    return step();
  } catch (const std::exception& error) {
    return fail(Fault::system, describe(error));
  }
}

}  // namespace baton::handoff
