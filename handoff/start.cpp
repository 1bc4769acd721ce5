#include "handoff/start.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

extern char** environ;

namespace baton::handoff {

namespace {

// Variables meant for this process and not for its children.
constexpr std::string_view ours_alone[] = {channel_variable, configuration_variable, supervisor_variable, "LISTEN_PID",
                                           "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"};

std::unexpected<Error> not_started(const std::string& what, int error) {
  return fail(Fault::system, what + ": " + std::strerror(error));
}

// A nameless file in memory that contains `text`.
UniqueFd in_memory(const std::string& text) {
  UniqueFd file(::memfd_create("configuration", MFD_CLOEXEC));
  if (!file) return {};
  for (std::size_t written = 0; written < text.size();) {
    const ssize_t count = ::pwrite(file.get(), text.data() + written, text.size() - written, static_cast<off_t>(written));
    if (count <= 0) return {};
    written += static_cast<std::size_t>(count);
  }
  return file;
}

std::vector<std::string> environment_with(const std::vector<LeftDescriptor>& descriptors,
                                          const std::vector<std::string>& more) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view name = std::string_view(*variable).substr(0, std::string_view(*variable).find('='));
    const bool is_ours = std::ranges::find(ours_alone, name) != std::end(ours_alone) ||
                         std::ranges::find(descriptors, name, &LeftDescriptor::variable) != descriptors.end();
    if (!is_ours) variables.emplace_back(*variable);
  }
  for (const auto& left : descriptors) variables.push_back(left.variable + "=" + std::to_string(left.descriptor));
  variables.insert(variables.end(), more.begin(), more.end());
  return variables;
}

std::vector<char*> as_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A link in /proc/self/fd leads to the open file whatever has happened to its name.
std::string path_of(const Program& program) {
  return program.executable >= 0 ? "/proc/self/fd/" + std::to_string(program.executable) : program.arguments[0];
}

}  // namespace

Result<pid_t> start(const Program& program) {
  std::vector<LeftDescriptor> descriptors = program.descriptors;
  UniqueFd configuration;
  if (program.configuration) {
    configuration = in_memory(*program.configuration);
    if (!configuration) return not_started("no memory for the configuration of " + program.arguments[0], errno);
    descriptors.push_back({configuration_variable, configuration.get()});
  }
  std::vector<std::string> arguments = program.arguments;
  std::vector<std::string> environment = environment_with(descriptors, program.environment);
  const std::vector<char*> argument_pointers = as_pointers(arguments);
  const std::vector<char*> environment_pointers = as_pointers(environment);
  const std::string path = path_of(program);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  int error = 0;
  const auto leave = [&](int descriptor) {  // the child's copy survives exec
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, descriptor, descriptor);
  };
  for (const auto& left : descriptors) leave(left.descriptor);
  for (const int kept : program.kept) leave(kept);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                             (program.own_group ? POSIX_SPAWN_SETPGROUP : 0)));
  pid_t pid = 0;
  if (error == 0) {
    error = ::posix_spawnp(&pid, path.c_str(), &actions, &attributes, argument_pointers.data(),
                           environment_pointers.data());
  }
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return not_started("cannot start " + program.arguments[0], error);
  return pid;
}

Error become(const Program& program) {
  std::vector<int> surviving = program.kept;
  for (const auto& left : program.descriptors) surviving.push_back(left.descriptor);
  for (const int descriptor : surviving) ::fcntl(descriptor, F_SETFD, 0);
  std::vector<std::string> arguments = program.arguments;
  std::vector<std::string> environment = environment_with(program.descriptors, program.environment);
  ::execvpe(path_of(program).c_str(), as_pointers(arguments).data(), as_pointers(environment).data());
  const int error = errno;
  for (const int descriptor : surviving) ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return not_started("cannot become " + program.arguments[0], error).error();
}

Result<Started> start_successor(Program program) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return not_started("no channel for the successor", errno);
  }
  Started started{.channel = UniqueFd(ends[0])};
  const UniqueFd theirs(ends[1]);
  program.descriptors.push_back({channel_variable, theirs.get()});
  const auto pid = start(program);
  if (!pid) return std::unexpected(pid.error());
  started.pid = *pid;
  return started;
}

std::optional<int> take_left_descriptor(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr) return std::nullopt;
  char* end = nullptr;
  const long number = std::strtol(value, &end, 10);
  const bool is_number = end != value && *end == '\0' && number > STDERR_FILENO && number < 1 << 20;
  ::unsetenv(variable);
  if (!is_number) return std::nullopt;
  return static_cast<int>(number);
}

UniqueFd take_channel() {
  const auto number = take_left_descriptor(channel_variable);
  int type = 0;
  socklen_t length = sizeof type;
  // A descriptor of any other type is not ours to close.
  if (!number || ::getsockopt(*number, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) return {};
  ::fcntl(*number, F_SETFD, FD_CLOEXEC);
  return UniqueFd(*number);
}

std::optional<std::string> take_configuration() {
  const auto number = take_left_descriptor(configuration_variable);
  if (!number || ::fcntl(*number, F_GET_SEALS) < 0) return std::nullopt;      // only memory files have seals
  const UniqueFd file(*number);
  std::string text;
  char piece[16 * 1024];
  for (ssize_t count; (count = ::pread(file.get(), piece, sizeof piece, static_cast<off_t>(text.size()))) > 0;) {
    text.append(piece, static_cast<std::size_t>(count));
  }
  return text;
}

std::string describe_exit(int wait_status) {
  if (WIFEXITED(wait_status)) return "exited with code " + std::to_string(WEXITSTATUS(wait_status));
  if (WIFSIGNALED(wait_status)) return "was killed by signal " + std::to_string(WTERMSIG(wait_status));
  return "ended";
}

}  // namespace baton::handoff
