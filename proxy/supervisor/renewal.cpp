#include "proxy/supervisor/renewal.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "handoff/start.hpp"
#include "proxy/runtime/log.hpp"

namespace baton::supervisor {

namespace {

// Part of the wire format between versions, like the answer.
constexpr const char* state_variable = "BATON_SUPERVISOR_STATE";
constexpr const char* answer_variable = "BATON_SUPERVISOR_CHECK";
constexpr std::string_view could_go_on = "baton can supervise this\n";
constexpr std::chrono::seconds dry_run_limit{5};

std::unexpected<handoff::Error> failed(const char* what) {
  return handoff::fail(handoff::Fault::system, std::string(what) + ": " + std::strerror(errno));
}

handoff::Result<handoff::UniqueFd> written_down(const ParentState& state) {
  const std::string bytes = encode(state);
  handoff::UniqueFd file(::memfd_create("supervisor", MFD_CLOEXEC));
  if (!file) return failed("no memory for the state");
  if (::pwrite(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return failed("no memory for the state");
  }
  return file;
}

}  // namespace

std::optional<Identity> identity_of(int executable) {
  struct stat info {};
  if (executable < 0 || ::fstat(executable, &info) != 0) return std::nullopt;
  return Identity{info.st_dev, info.st_ino};
}

handoff::Result<DryRun> DryRun::begin(const ParentState& state) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return failed("no pipe");
  DryRun run;
  run.answer_ = handoff::UniqueFd(ends[0]);
  const handoff::UniqueFd theirs(ends[1]);
  const auto file = written_down(state);
  if (!file) return std::unexpected(file.error());
  run.of_ = identity_of(state.heritage->executable.get()).value_or(Identity{});
  // A version without this feature refuses the option, and so touches nothing either.
  const auto pid = handoff::start({.arguments = {"baton", "run", "--supervise"},
                                   .executable = state.heritage->executable.get(),
                                   .configuration = {},
                                   .descriptors = {{state_variable, file->get()}, {answer_variable, theirs.get()}},
                                   .kept = descriptors_of(state),
                                   .own_group = true});
  if (!pid) return std::unexpected(pid.error());
  run.pid_ = *pid;
  run.deadline_ = std::chrono::steady_clock::now() + dry_run_limit;
  return run;
}

std::optional<std::string> DryRun::objection(int wait_status) const {
  char text[512];
  const ssize_t got = ::read(answer_.get(), text, sizeof text);
  const std::string_view said(text, got > 0 ? static_cast<std::size_t>(got) : 0);
  if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0) {
    return "it " + handoff::describe_exit(wait_status) + (said.empty() ? "" : ": " + std::string(said));
  }
  if (said != could_go_on) return "it cannot supervise";
  return std::nullopt;
}

handoff::Error become(const ParentState& state, const std::vector<std::string>& arguments) {
  const auto file = written_down(state);
  if (!file) return file.error();
  return handoff::become({.arguments = arguments,
                          .executable = state.heritage->executable.get(),
                          .configuration = {},
                          .descriptors = {{state_variable, file->get()}},
                          .kept = descriptors_of(state),
                          .environment = runtime::log::environment()});
}

std::optional<std::string> take_state() {
  const auto number = handoff::take_left_descriptor(state_variable);
  if (!number || ::fcntl(*number, F_GET_SEALS) < 0) return std::nullopt;      // only memory files have seals
  const handoff::UniqueFd file(*number);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  if (::pread(file.get(), bytes.data(), bytes.size(), 0) != info.st_size) return std::nullopt;
  return bytes;
}

std::optional<int> answer_dry_run(const std::optional<std::string>& state) {
  const auto number = handoff::take_left_descriptor(answer_variable);
  if (!number) return std::nullopt;
  const handoff::UniqueFd answer(*number);
  const auto wrong = state ? what_is_wrong_with(*state) : "there is no state";
  const std::string_view said = wrong ? std::string_view(*wrong) : could_go_on;
  const bool heard = ::write(answer.get(), said.data(), said.size()) == static_cast<ssize_t>(said.size());
  return wrong || !heard ? 1 : 0;
}

}  // namespace baton::supervisor
